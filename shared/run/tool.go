package run

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"parley/shared/agent"
	"parley/shared/parley"
)

// toolbox carries out the calls of the agent: the project's actions, and
// entering and leaving modes. The agent calls its methods one after the other;
// the runner reads the fields once the agent has ended.
type toolbox struct {
	runner  *runner
	project *parley.Project

	calls []parley.ActionCall
	mode  *string // the mode to be in after the reply; nil leaves it as it was
	// handover is the reason for giving the session to a human after this reply,
	// because a call demanded it; "" if none did.
	handover string
}

// tools returns what the agent may call in a session: actions, and the ways into
// and out of modes. An action may be older than the control tool of its name.
func (t *toolbox) tools(session *parley.Session, settings parley.AgentSettings) []agent.Tool {
	if settings.NoTools {
		return nil
	}
	var all []agent.Tool
	if t.runner.Act != nil {
		for _, a := range t.project.Actions {
			if agent.IsControl(string(a.ID)) {
				continue
			}
			all = append(all, agent.Tool{Name: string(a.ID), Description: describe(a), Parameters: parametersOf(a)})
		}
	}
	if _, in := t.project.Mode(session.Mode); in {
		all = append(all, agent.Tool{Name: string(parley.LeaveMode), Parameters: noParameters,
			Description: "Leave the mode that the conversation is in, when its purpose is fulfilled or the visitor wants something else."})
	}
	if enter, ok := t.enterTool(session); ok {
		all = append(all, enter)
	}
	return all
}

var noParameters = json.RawMessage(`{"type":"object","properties":{}}`)

func parametersOf(a parley.Action) json.RawMessage {
	if len(a.Parameters) == 0 {
		return noParameters
	}
	return a.Parameters
}

func describe(a parley.Action) string {
	if a.Form {
		return a.Description + "\nThis shows the visitor a form; give what you know of its fields, or nothing."
	}
	return a.Description
}

// enterTool offers the modes that have a description. Without one the agent
// could not know when to choose it.
func (t *toolbox) enterTool(session *parley.Session) (agent.Tool, bool) {
	var ids []string
	text := "Enter a mode of the conversation, in which you follow further instructions. The modes:"
	for _, m := range t.project.Modes {
		if m.Description != "" && m.ID != session.Mode {
			ids = append(ids, m.ID)
			text += "\n- " + m.ID + " (" + m.Name + "): " + m.Description
		}
	}
	schema := map[string]any{"type": "object", "required": []string{"mode"},
		"properties": map[string]any{"mode": map[string]any{"type": "string", "enum": ids}}}
	parameters, err := json.Marshal(schema) // strings always encode
	return agent.Tool{Name: string(parley.EnterMode), Description: text, Parameters: parameters}, err == nil && len(ids) > 0
}

// use is agent.Conversation.Use.
func (t *toolbox) use(ctx context.Context, c agent.Call) (agent.Outcome, error) {
	switch parley.ActionID(c.Tool) {
	case parley.EnterMode:
		return t.enterMode(c.Arguments), nil
	case parley.LeaveMode:
		t.mode = new(string)
		return agent.Outcome{Text: "The mode is over. Its instructions no longer count."}, nil
	}
	a, err := t.project.Action(parley.ActionID(c.Tool))
	if err != nil {
		return agent.Outcome{Text: "There is no such action.", Failed: true}, nil
	}
	call := parley.ActionCall{ID: fmt.Sprint(len(t.calls) + 1), Action: a.ID, Name: a.Label(), Arguments: c.Arguments}
	if a.Form {
		return t.offerForm(ctx, a, call)
	}
	return t.act(ctx, a, call)
}

func (t *toolbox) enterMode(arguments json.RawMessage) agent.Outcome {
	var to struct{ Mode string }
	if json.Unmarshal(arguments, &to) == nil {
		if m, ok := t.project.Mode(to.Mode); ok && m.Description != "" {
			t.mode = &m.ID
			return agent.Outcome{Text: "The conversation is in the mode " + m.Name + ". Its instructions:\n" + m.Instructions}
		}
	}
	return agent.Outcome{Text: "There is no such mode.", Failed: true}
}

// offerForm adds a form to the reply, for the visitor to fill in and send.
func (t *toolbox) offerForm(ctx context.Context, a parley.Action, call parley.ActionCall) (agent.Outcome, error) {
	call.Arguments = validArguments(a, call.Arguments)
	call.Form = &parley.Form{Parameters: parametersOf(a)}
	if err := t.record(ctx, call); err != nil {
		return agent.Outcome{}, err
	}
	t.calls = append(t.calls, call)
	return agent.Outcome{Text: "The visitor sees a form below your reply. Nothing has been done yet: tell the visitor to fill it in and send it."}, nil
}

// validArguments returns those of a model's arguments that the action's schema
// accepts, to fill the form with: the model knows some of the fields, and may be
// wrong about others.
func validArguments(a parley.Action, arguments json.RawMessage) json.RawMessage {
	var all, known map[string]json.RawMessage
	s, err := a.Schema()
	if err != nil || json.Unmarshal(arguments, &all) != nil {
		return nil
	}
	for name, value := range all {
		if p := s.Properties[name]; p != nil && p.Check(value) == nil {
			if known == nil {
				known = map[string]json.RawMessage{}
			}
			known[name] = value
		}
	}
	if known == nil {
		return nil
	}
	text, _ := json.Marshal(known) // valid JSON always encodes
	return text
}

// act makes the request of an action. A log entry before it says that it begins,
// and one after it what came of it, before the agent is told. So whoever ends
// the run meanwhile knows what was done, and no other runner repeats a request
// that may have been an order.
func (t *toolbox) act(ctx context.Context, a parley.Action, call parley.ActionCall) (agent.Outcome, error) {
	if err := t.record(ctx, call); err != nil {
		return agent.Outcome{}, err
	}
	claim := t.runner.claim
	result, err := t.runner.Act(ctx, parley.ActionRequest{ID: string(t.runner.ref.Run) + "." + call.ID, Project: t.project.ID, Action: a,
		Arguments: call.Arguments, Contact: claim.Contact.Overrides, Browser: claim.Extras.Overrides})
	if err != nil {
		return agent.Outcome{}, err
	}
	call.Result, call.Error = result.Result, result.Error
	if err := t.record(ctx, call); err != nil {
		return agent.Outcome{}, err
	}
	t.calls = append(t.calls, call)
	if a.Handover && call.Error == "" {
		t.handover = a.HandoverReason()
	}
	return outcome(call), nil
}

// record logs a call in its present state.
func (t *toolbox) record(ctx context.Context, call parley.ActionCall) error {
	return t.runner.buffer.record(ctx, parley.LogEntry{Kind: parley.LogCall, Call: &call})
}

// outcome returns what the agent is told of a call.
func outcome(c parley.ActionCall) agent.Outcome {
	text := string(c.Result)
	switch {
	case c.Error != "":
		return agent.Outcome{Text: strings.TrimSpace(c.Error + "\n" + text), Failed: true}
	case c.Form != nil && c.Form.Submitted == 0:
		return agent.Outcome{Text: "The visitor has been shown a form for it and has not sent it."}
	case c.Form != nil && c.Result == nil:
		return agent.Outcome{Text: "The visitor has sent the form; what came of it is not known.", Failed: true}
	}
	return agent.Outcome{Text: text}
}

// earlierCalls returns the calls in a session's entries in the form that agents
// are told of.
func earlierCalls(entries []parley.Entry) []agent.Call {
	var calls []agent.Call
	for _, e := range entries {
		for _, part := range e.Parts {
			if c := part.Action; c != nil && !e.Internal {
				calls = append(calls, agent.Call{ID: c.ID, Tool: string(c.Action), Arguments: c.Arguments, Outcome: outcome(*c)})
			}
		}
	}
	return calls
}
