package agent

import (
	"encoding/json"
	"slices"
)

// The control tools: by calling one, a model says what is to happen. A call ends
// the reply, as no result goes back to the model, unless it calls other tools in
// the same round. Text cannot do it, so nothing that a reply quotes does anything.
const (
	controlHandover = "hand_over"
	controlGoodbye  = "end_conversation"
	controlSolved   = "mark_solved"
)

// handoverReason is why a reply hands over whose model has not said it.
const handoverReason = "The AI agent asked for a human."

// maxHandoverReason is the longest reason that is taken from a model, in bytes.
// Our choice: a sentence or two.
const maxHandoverReason = 300

// ControlTools are the tools that are offered to every model that takes tools. No
// other tool may have the name of one.
func ControlTools() []Tool {
	nothing := json.RawMessage(`{"type":"object","properties":{}}`)
	return []Tool{
		{Name: controlHandover, Description: "Give the conversation to a human colleague, after your reply: the visitor asks for a human, or only a human can help.",
			Parameters: json.RawMessage(`{"type":"object","properties":{"reason":{"type":"string",` +
				`"description":"Why, in one sentence, for your colleagues. The visitor does not see it."}}}`)},
		{Name: controlGoodbye, Description: "End the conversation after your reply: the visitor has said goodbye or needs nothing more.", Parameters: nothing},
		{Name: controlSolved, Description: "Note that the visitor has said that the problem is solved.", Parameters: nothing},
	}
}

// IsControl reports whether a tool's name is that of a control tool.
func IsControl(name string) bool {
	return slices.Contains([]string{controlHandover, controlGoodbye, controlSolved}, name)
}

// control notes what a call of a control tool asks for. Arguments that cannot be
// read do not keep a visitor from a human.
func (r *Result) control(c *partialCall) {
	switch c.name {
	case controlHandover:
		proposeHandover(r)
		var said struct{ Reason string }
		if arguments, problem := c.object(); problem == "" && json.Unmarshal(arguments, &said) == nil {
			if text := oneLine(said.Reason); text != "" {
				r.Reason = shortened(text, maxHandoverReason)
			}
		}
	case controlGoodbye:
		r.Goodbye = true
	case controlSolved:
		r.LikelyResolved = true
	}
}

// controls reports whether the result asks for anything to happen.
func (r *Result) controls() bool { return r.Handover || r.Goodbye || r.LikelyResolved }
