package parley

import (
	"bytes"
	"context"
	"encoding/json"
	"sync"

	"parley/shared/schema"
)

// FormRequest is what a visitor sends of a form that an agent asked for.
type FormRequest struct {
	Session SessionID
	// Message is the reply that asks, Call the id of the call in it.
	Message EntryID
	Call    string
	// Arguments are the fields as the visitor filled them in: a JSON object that
	// fits the action's parameters, at most MaxFormBytes.
	Arguments json.RawMessage
	// Loose are fields of a page that does not know which of what it sends are the
	// action's parameters: of them those count that are. What is a string is given
	// the type that the field has.
	Loose map[string]json.RawMessage
	// Overrides are the browser's values for the request; those that the action
	// leaves open are kept.
	Overrides Overrides
}

// MaxFormBytes is the longest JSON of a form that is sent. Our choice, the
// longest text of a message.
const MaxFormBytes = MaxMessageBytes

// FormSent is what became of a form.
type FormSent struct {
	// Message is the reply with the form as it is now.
	Message Entry
	Call    ActionCall
	// Request is what the caller has to carry out now, and say what came of it
	// with FormDone; nil if the form was sent before.
	Request *ActionRequest
}

// SubmitForm notes that a visitor has sent a form, which happens once: that is
// durable before its action is carried out. The same fields again change nothing
// and return the call as it stands.
//
// Errors: not_found if the session has no such form in its newest MaxBack entries, or
// the project no such action any more; changes_limit; invalid_field or too_large if the fields do not fit;
// form_submitted, of kind ErrConflict, if it was sent with other fields;
// session_closed if the session takes no messages.
func (s *Store) SubmitForm(ctx context.Context, c Caller, r FormRequest) (FormSent, error) {
	p, err := s.Project(ctx, c.Project)
	if err != nil {
		return FormSent{}, err
	}
	if c.Only != "" { // an action may do in the contact's name what no answer does
		return FormSent{}, errLimited()
	}
	r.Overrides = p.opened(r.Overrides)
	if err := r.Overrides.check("overrides"); err != nil {
		return FormSent{}, err
	}
	take := sync.OnceValue(func() error { return s.takeChange(ctx, c) })
	return againFor(func() (FormSent, error) { return s.submitForm(ctx, p, c, r, take) })
}

// submitForm is one try of SubmitForm.
func (s *Store) submitForm(ctx context.Context, p *Project, c Caller, r FormRequest, take func() error) (FormSent, error) {
	session, of, call, err := s.form(ctx, c, r, take)
	if err != nil {
		return FormSent{}, err
	}
	a, err := p.Action(call.Action)
	if err != nil {
		return FormSent{}, err
	}
	if r.Arguments, err = a.fields(r); err != nil {
		return FormSent{}, err
	}
	if call.Form.Submitted > 0 {
		if !bytes.Equal(call.Arguments, r.Arguments) {
			return FormSent{}, conflict("form_submitted", "this form was sent with other fields")
		}
		return FormSent{Message: of, Call: call}, nil
	}
	if session.State == StateResolved || session.State == StateSpam {
		return FormSent{}, conflict("session_closed", "this session is closed")
	}
	request := &ActionRequest{ID: string(of.Run) + "." + call.ID, Project: p.ID, Action: a, Arguments: r.Arguments, Browser: r.Overrides}
	contact, err := s.Vouched(ctx, session)
	if err != nil {
		return FormSent{}, err
	}
	request.Contact = contact.Overrides
	call.Arguments, call.Form = r.Arguments, &Form{Parameters: call.Form.Parameters, Submitted: s.clock().UnixMilli()}
	amended := of.withCall(call)
	_, err = s.change(ctx, p, session, func(ch *change) error { return ch.amendCall(c, of, amended, call) })
	return FormSent{amended, call, request}, err
}

// FormDone stores what came of a form that SubmitForm gave out to be carried out,
// and gives the session to a human where the action says so. It returns the
// reply as it is then.
func (s *Store) FormDone(ctx context.Context, c Caller, r FormRequest, result ActionResult) (FormSent, error) {
	p, err := s.Project(ctx, c.Project)
	if err != nil {
		return FormSent{}, err
	}
	return againFor(func() (FormSent, error) {
		session, of, call, err := s.form(ctx, c, r, nil) // SubmitForm has counted it
		if err != nil {
			return FormSent{}, err
		}
		if call.Form.Submitted == 0 || call.Result != nil || call.Error != "" {
			return FormSent{Message: of, Call: call}, nil
		}
		call.Result, call.Error = result.Result, result.Error
		amended := of.withCall(call)
		return FormSent{Message: amended, Call: call}, s.formDone(ctx, p, c, session, of, amended, call)
	})
}

func (s *Store) formDone(ctx context.Context, p *Project, c Caller, session *Session, of, amended Entry, call ActionCall) error {
	build := func(ch *change) error { return ch.amendCall(c, of, amended, call) }
	a, err := p.Action(call.Action)
	if err != nil || !a.Handover || call.Error != "" || session.Holder != HolderAI {
		_, err := s.change(ctx, p, session, build)
		return err
	}
	_, err = s.stop(ctx, p, session, "", StatusTakenOver, func(ch *change) error {
		if err := build(ch); err != nil {
			return err
		}
		return ch.control(End{Handover: true, HandoverReason: a.HandoverReason()})
	})
	return err
}

// form finds a form of the caller's own. not_found if there is none. take, if there is
// one, counts it as a change, before the reply is looked for.
func (s *Store) form(ctx context.Context, c Caller, r FormRequest, take func() error) (*Session, Entry, ActionCall, error) {
	session, err := s.open(ctx, c, r.Session, true)
	if err == nil && take != nil {
		err = take()
	}
	if err != nil {
		return nil, Entry{}, ActionCall{}, err
	}
	e, err := s.answer(ctx, session, r.Message)
	if err != nil {
		return nil, Entry{}, ActionCall{}, err
	}
	for _, part := range e.Parts {
		if a := part.Action; a != nil && a.ID == r.Call && a.Form != nil {
			return session, e, *a, nil
		}
	}
	return nil, Entry{}, ActionCall{}, notFound("form")
}

// fields returns what a visitor filled in, checked and as short as it gets.
func (a Action) fields(r FormRequest) (json.RawMessage, error) {
	fields, err := a.Schema()
	if err != nil {
		return nil, invalid("arguments", "the form cannot be sent: %s", err)
	}
	arguments := r.Arguments
	if arguments == nil {
		known := map[string]json.RawMessage{}
		for name, value := range r.Loose {
			if field := fields.Properties[name]; field != nil {
				known[name] = typed(field, value)
			}
		}
		if arguments, err = encode(known); err != nil {
			return nil, invalid("arguments", "arguments is a JSON object")
		}
	}
	if err := checkObject("arguments", arguments, MaxFormBytes); err != nil {
		return nil, err
	}
	if err := fields.Check(arguments); err != nil {
		return nil, invalid("arguments", "the form cannot be sent: %s", err)
	}
	var b bytes.Buffer
	if err := json.Compact(&b, arguments); err != nil {
		return nil, invalid("arguments", "arguments is a JSON object")
	}
	return b.Bytes(), nil
}

// typed writes a string as the type that a field has, where it is one of that.
func typed(field *schema.Schema, value json.RawMessage) json.RawMessage {
	var text string
	if json.Unmarshal(value, &text) == nil && field.Check(value) != nil && field.Check(json.RawMessage(text)) == nil {
		return json.RawMessage(text)
	}
	return value
}

// withCall returns the entry one revision on, with the call in the place of the
// one of its id.
func (e Entry) withCall(call ActionCall) Entry {
	parts := make([]Part, len(e.Parts))
	for i, part := range e.Parts {
		if parts[i] = part; part.Action != nil && part.Action.ID == call.ID {
			parts[i].Action = &call
		}
	}
	e.Parts, e.Revision = parts, e.Revision+1
	return e
}

// amendCall replaces an entry by one in which a call is known better.
func (c *change) amendCall(by Caller, of, amended Entry, call ActionCall) error {
	data := encodePlain(map[string]string{"call": call.ID, "action": string(call.Action)})
	if err := c.add(&Entry{Event: EventTool, Author: by.Author(), Amends: of.Seq, Data: data}); err != nil {
		return err
	}
	if err := c.amend(amended, of.Revision); err != nil {
		return err
	}
	return c.store.guard(c, by)
}
