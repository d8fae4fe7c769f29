package run

import (
	"fmt"
	"strings"

	"parley/shared/agent"
	"parley/shared/parley"
)

// conversation makes what the agent sees: the session's own record, and last
// the message to be answered. Messages that wait for an answer of their own are
// left out, and so is what came of failed tries to answer this one.
func conversation(p *parley.Project, settings parley.AgentSettings, c *Claim) agent.Conversation {
	waiting := map[parley.Seq]bool{}
	for _, q := range c.Session.Queue {
		waiting[q.Seq] = true
	}
	var turns []agent.Turn
	for _, e := range c.Entries {
		turn, ok := TurnOf(e)
		switch {
		case !ok || waiting[e.Seq] || e.Seq == c.Asked.Seq:
		case e.Status == parley.StatusIncomplete && e.Of == c.First.Of:
		default:
			turns = append(turns, turn)
		}
	}
	asked, _ := TurnOf(c.Asked)
	if c.Extras.Prompt != "" {
		asked.Text = strings.TrimSpace(asked.Text + "\n\n(The page adds: " + c.Extras.Prompt + ")")
	}
	metadata := c.About.Metadata
	if c.Session.Channel.HidesMetadata() {
		metadata = nil
	}
	var mode agent.Mode
	if m, in := p.Mode(c.Session.Mode); in {
		mode = agent.Mode{ID: m.ID, Name: m.Name, Instructions: m.Instructions}
	}
	return agent.Conversation{
		Persona:    agent.Persona{ID: string(settings.ID), Name: settings.Name, Instructions: settings.Instructions, Model: settings.Model},
		Turns:      append(turns, asked),
		Language:   c.Session.Language,
		Page:       agent.Page(c.About.Page),
		Metadata:   metadata,
		Attributes: c.About.Attributes,
		Checkpoint: string(c.About.Checkpoint),
		Context:    string(c.Extras.Context),
		Contact:    string(c.Contact.Context),
		Mode:       mode,
		Earlier:    earlier(c.Entries),
		MaxTokens:  settings.ReplyTokens(),
		MaxSpend:   int(p.ReplyAllowance(settings)),
	}
}

var roles = map[parley.AuthorKind]agent.Role{
	parley.AuthorUser: agent.Visitor, parley.AuthorAI: agent.AI,
	parley.AuthorHuman: agent.Human, parley.AuthorTeam: agent.Human,
}

// TurnOf returns an entry as a turn; ok is false for what agents do not see.
func TurnOf(e parley.Entry) (turn agent.Turn, ok bool) {
	role, known := roles[e.Author.Kind]
	if !e.IsMessage() || e.Internal || !known {
		return agent.Turn{}, false
	}
	turn = agent.Turn{Role: role, Text: e.Text, At: e.Time()}
	for _, part := range e.Parts {
		if a := part.Attachment; a != nil {
			turn.Attachments = append(turn.Attachments, fmt.Sprintf("%s (%s)", a.Name, a.Type))
		}
	}
	return turn, true
}
