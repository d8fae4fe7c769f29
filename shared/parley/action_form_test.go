package parley_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"parley/shared/parley"
	"parley/shared/parleytest"
)

// withForm is a scene whose agent has asked for a form in its reply to m1.
func withForm(s scene) parley.SessionID { return s.asksForForm("m1") }

// asksForForm is a session whose agent has asked for a form in its reply to a message.
func (s scene) asksForForm(message parley.EntryID) parley.SessionID {
	s.Helper()
	p := generous()
	p.Actions = []parley.Action{{ID: "refund", Name: "Refund", Description: "Pays back.", Method: "POST", URL: "https://api.example.com/refund", Form: true, Handover: true,
		Parameters: json.RawMessage(`{"type":"object","properties":{"order":{"type":"string"},"lines":{"type":"integer"}},"required":["order"]}`),
		Values:     []parley.ActionValue{{In: parley.InHeader, Name: "X-Open", Open: true}, {In: parley.InHeader, Name: "X-Shut"}}}}
	parleytest.Put(s, s.store, p)
	sent := s.send(parley.SendRequest{ID: message, Content: "My money!", Claim: true})
	_, err := s.store.EndRun(context.Background(), sent.Ref, nil, parley.End{Next: 1, Of: message, Status: parley.StatusDone, Text: "Fill this in.", Unflushed: "Fill this in.",
		Calls: []parley.ActionCall{{ID: "1", Action: "refund", Name: "Refund"}, {ID: "2", Action: "refund", Name: "Refund", Form: &parley.Form{}}}})
	if err != nil {
		s.Fatal(err)
	}
	return sent.Session.ID
}

// newest is the newest message of a session.
func (s scene) newest(id parley.SessionID) parley.Entry {
	s.Helper()
	whole, err := s.store.FullTranscript(context.Background(), s.visitor, id, 1<<20)
	if err != nil {
		s.Fatal(err)
	}
	for i := len(whole.Entries) - 1; i >= 0; i-- {
		if whole.Entries[i].IsMessage() {
			return whole.Entries[i]
		}
	}
	s.Fatal("no message")
	return parley.Entry{}
}

func TestFormIsSentOnce(t *testing.T) {
	onBoth(t, func(s scene) {
		id := withForm(s)
		form := parley.FormRequest{Session: id, Message: s.newest(id).ID, Call: "2", Arguments: json.RawMessage(`{"order": "7"}`),
			Overrides: parley.Overrides{Headers: map[string]string{"x-open": "o", "X-Shut": "s"}}}
		submit := func(f parley.FormRequest) (parley.FormSent, error) {
			return s.store.SubmitForm(context.Background(), s.visitor, f)
		}
		for code, change := range map[string]func(f *parley.FormRequest){
			"not_found":     func(f *parley.FormRequest) { f.Call = "1" },
			"invalid_field": func(f *parley.FormRequest) { f.Arguments = json.RawMessage(`{"order":7}`) },
			"too_large":     func(f *parley.FormRequest) { f.Arguments = make(json.RawMessage, parley.MaxFormBytes+1) },
		} {
			other := form
			change(&other)
			_, err := submit(other)
			s.want(code, err, code)
		}
		first, err := submit(form)
		if err != nil || first.Request == nil || first.Request.ID != "m1.2" || string(first.Request.Arguments) != `{"order":"7"}` {
			t.Fatalf("first = %+v, %v", first, err)
		}
		if h := first.Request.Browser.Headers; len(h) != 1 || h["X-Open"] != "o" {
			t.Errorf("the browser's headers are %v", h)
		}
		again, err := submit(form)
		if err != nil || again.Request != nil || again.Call.Form.Submitted == 0 {
			t.Errorf("again = %+v, %v", again, err)
		}
		other := form
		other.Arguments = json.RawMessage(`{"order":"8"}`)
		_, err = submit(other)
		s.want("other fields", err, "form_submitted")
		done, err := s.store.FormDone(context.Background(), s.visitor, form, parley.ActionResult{Result: json.RawMessage(`{"status":200}`)})
		if err != nil || string(done.Call.Result) != `{"status":200}` {
			t.Errorf("done = %+v, %v", done, err)
		}
		late, err := s.store.FormDone(context.Background(), s.visitor, form, parley.ActionResult{Error: "late"})
		if err != nil || late.Call.Error != "" {
			t.Errorf("late = %+v, %v", late, err)
		}
		stored := s.newest(id)
		if c := stored.Parts[1].Action; c == nil || string(c.Result) != `{"status":200}` || string(c.Arguments) != `{"order":"7"}` || stored.Revision != 2 {
			t.Errorf("stored %+v", stored)
		}
		if got := s.session(id); got.Holder != parley.HolderWaiting {
			t.Errorf("holder = %s, want a human to be waited for", got.Holder)
		}
	})
}

// A form that many tabs send at once is carried out by one of them.
func TestFormOfManyTabs(t *testing.T) {
	onBolt(t, func(s scene) {
		id := withForm(s)
		form := parley.FormRequest{Session: id, Message: s.newest(id).ID, Call: "2", Loose: map[string]json.RawMessage{
			"order": json.RawMessage(`"7"`), "lines": json.RawMessage(`"2"`), "token": json.RawMessage(`"x"`)}}
		got := make(chan parley.FormSent, 5)
		for range cap(got) {
			go func() {
				out, err := s.over(s.table).SubmitForm(context.Background(), s.visitor, form)
				if err != nil {
					t.Error(err)
				}
				got <- out
			}()
		}
		requests := 0
		for range cap(got) {
			if out := <-got; out.Request != nil {
				requests++
				if string(out.Request.Arguments) != `{"lines":2,"order":"7"}` {
					t.Errorf("arguments = %s", out.Request.Arguments)
				}
			}
		}
		if requests != 1 {
			t.Errorf("%d tabs carry it out", requests)
		}
	})
}

func TestFormOfAnother(t *testing.T) {
	onBolt(t, func(s scene) {
		id := withForm(s)
		form := parley.FormRequest{Session: id, Message: s.newest(id).ID, Call: "2", Arguments: json.RawMessage(`{"order":"7"}`)}
		_, err := s.store.SubmitForm(context.Background(), parleytest.Visitor(t, s.store), form)
		s.want("another visitor", err, "not_found")
		if err := s.store.Resolve(context.Background(), s.visitor, id, parley.Author{Kind: parley.AuthorUser}); err != nil {
			t.Fatal(err)
		}
		_, err = s.store.SubmitForm(context.Background(), s.visitor, form)
		s.want("a resolved session", err, "session_closed")
		p := generous()
		parleytest.Put(t, s.store, p)
		time.Sleep(10 * time.Minute) // virtual: until settings are read again
		_, err = s.store.SubmitForm(context.Background(), s.visitor, form)
		s.want("no such action any more", err, "not_found")
	})
}
