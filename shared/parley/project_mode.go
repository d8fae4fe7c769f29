package parley

// Tools by which a model says how its reply ends; no action has such an id.
const (
	HandOver        ActionID = "hand_over"
	EndConversation ActionID = "end_conversation"
	MarkSolved      ActionID = "mark_solved"
)

// Tools by which a model enters and leaves a mode; no action has such an id.
const (
	EnterMode ActionID = "enter_mode"
	LeaveMode ActionID = "leave_mode"
)

// Mode is a way for the agent to behave for part of a session: it goes on until
// the agent leaves it or a message asks for that.
type Mode struct {
	// ID is 1 to 32 lower-case letters, digits, "_" and "-": widgets compare it
	// in lower case, and it stands in the session's hot item.
	ID   string `json:"id"`
	Name string `json:"name"`
	Slug string `json:"slug,omitempty"`
	// Description tells the model when to enter the mode. Without it the model
	// never does.
	Description string `json:"description,omitempty"`
	// Instructions join those of the agent while the session is in the mode.
	Instructions string `json:"instructions,omitempty"`
}

var modeIDs = pattern(`^[a-z0-9_-]{1,32}$`)

// Mode returns a mode of the project; ok is false if there is none, or none any more.
func (p *Project) Mode(id string) (mode Mode, ok bool) {
	for _, m := range p.Modes {
		if m.ID == id {
			return m, true
		}
	}
	return Mode{}, false
}

// checkModes returns an invalid_field or too_large error unless the modes can be used.
func (p *Project) checkModes() error {
	for _, m := range p.Modes {
		switch {
		case !modeIDs().MatchString(m.ID):
			return invalid("modes", "a mode's id is 1 to 32 lower-case letters, digits, _ and -")
		case len(m.Description) > MaxDescriptionBytes:
			return tooLarge("modes", MaxDescriptionBytes)
		case m.Name == "":
			return invalid("modes", "a mode has a name")
		}
	}
	return nil
}
