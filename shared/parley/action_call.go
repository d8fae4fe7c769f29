package parley

import "encoding/json"

// ActionCall is a call of an action by an agent, as part of its reply.
type ActionCall struct {
	// ID tells the calls of one reply apart.
	ID string `json:"id"`
	// Action is the action's id, Name its name as it was.
	Action    ActionID        `json:"action,omitempty"`
	Name      string          `json:"name"`
	Arguments json.RawMessage `json:"arguments,omitempty"`
	// Result and Error are as in ActionResult; both are empty as long as a form
	// waits to be filled in.
	Result json.RawMessage `json:"result,omitempty"`
	Error  string          `json:"error,omitempty"`
	// Form is set where the visitor is asked to fill in the arguments; what the
	// agent knew of them is in Arguments.
	Form *Form `json:"form,omitempty"`
}

// Form is a request to the visitor to fill in the parameters of an action.
type Form struct {
	// Parameters is the action's schema as it was.
	Parameters json.RawMessage `json:"parameters,omitempty"`
	// Submitted is when the visitor sent it, in milliseconds; 0 until then.
	Submitted int64 `json:"submitted,omitempty"`
}

// interrupted is the error of a call that was begun and of which no more is known.
const interrupted = "Interrupted: nobody knows whether it was done."

// CallsOf returns the calls that a log tells of, in order, each as it is known
// last.
func CallsOf(log []LogEntry) []ActionCall {
	var calls []ActionCall
	at := map[string]int{}
	for _, e := range log {
		if e.Call == nil {
			continue
		}
		if i, known := at[e.Call.ID]; known {
			calls[i] = *e.Call
			continue
		}
		at[e.Call.ID] = len(calls)
		calls = append(calls, *e.Call)
	}
	for i, c := range calls {
		if c.Result == nil && c.Error == "" && c.Form == nil {
			calls[i].Error = interrupted
		}
	}
	return calls
}

// parts are the calls as parts of a reply; asks says that one of them is a form.
func callParts(calls []ActionCall) (parts []Part, asks bool) {
	for _, c := range calls {
		parts = append(parts, Part{Action: &c})
		asks = asks || c.Form != nil
	}
	return parts, asks
}
