package run

import (
	"fmt"
	"strings"

	"parley/shared/agent"
	"parley/shared/parley"
)

// conversation returns what the agent is given: the session as it is stored,
// ending with the message to answer. Left out are messages that have a run of
// their own to come, and what earlier failed attempts at this answer left
// behind.
func conversation(c *Claim) agent.Conversation {
	p, settings := c.project, c.settings
	waiting := map[parley.Seq]bool{}
	for _, q := range c.Session.Queue {
		waiting[q.Seq] = true
	}
	var turns []agent.Turn
	for _, e := range c.Entries {
		turn, ok := TurnOf(e)
		switch {
		case !ok || waiting[e.Seq] || e.Seq == c.Question.Seq:
		case e.Status == parley.StatusIncomplete && e.Of == c.First.Of:
		default:
			turns = append(turns, turn)
		}
	}
	question, _ := TurnOf(c.Question)
	if c.Extras.Prompt != "" {
		question.Text = strings.TrimSpace(question.Text + "\n\n(The page adds: " + c.Extras.Prompt + ")")
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
		Persona: agent.Persona{ID: string(settings.ID), Name: settings.Name, Instructions: settings.Instructions, Model: settings.Model,
			Articles: settings.ArticlesURL, NoTools: settings.NoTools},
		Turns:      append(turns, question),
		Language:   c.Session.Language,
		Page:       agent.Page(c.About.Page),
		Metadata:   metadata,
		Attributes: c.About.Attributes,
		Checkpoint: string(c.About.Checkpoint),
		Greeting:   greeting(c),
		Context:    string(c.Extras.Context),
		Contact:    string(c.Contact.Context),
		Mode:       mode,
		Earlier:    earlierCalls(c.Entries),
		MaxTokens:  settings.ReplyTokens(),
		MaxSpend:   int(p.ReplyAllowance(settings)),
	}
}

// greeting returns what the visitor was greeted with: what the page has said that it
// showed, or what a page of the channel shows of itself.
func greeting(c *Claim) []string {
	var texts []string
	for _, e := range append(c.Entries[:len(c.Entries):len(c.Entries)], c.Question) {
		if len(e.Greeting) > 0 && texts == nil {
			for _, said := range e.Greeting {
				if said.By.Kind == parley.AuthorUser {
					continue // what the page has the visitor say is not what they were greeted with
				}
				texts = append(texts, said.Text)
			}
		}
	}
	if texts == nil && c.project.Greeting != "" && c.Session.Channel.ShowsGreeting() {
		texts = []string{c.project.Greeting}
	}
	return texts
}

// roles are those of authors whose messages are turns. A team's message is none:
// nobody signed it.
var roles = map[parley.AuthorKind]agent.Role{
	parley.AuthorUser: agent.Visitor, parley.AuthorAI: agent.AI,
	parley.AuthorHuman: agent.Human,
}

// TurnOf returns an entry as a turn of the conversation. ok is false for entries
// that agents do not see: events, notes, and what the system said.
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
