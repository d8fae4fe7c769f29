// Package agent is the interface to whoever answers automatically, and the code
// that its implementations share. An implementation streams the reply to one
// message: agent/docs quotes help articles, agent/openai and agent/bedrock ask a
// model.
package agent

import (
	"context"
	"errors"
	"time"
)

// Agent answers one turn of a conversation. Implementations are safe for
// concurrent use.
type Agent interface {
	// Reply streams the answer to the last turn of c. It calls emit with each
	// piece of text as it arrives, in order, never with "", and never again
	// after it returned. An error from emit means that nobody wants the rest:
	// Reply stops at once, closes the upstream and returns that error.
	//
	// A nil error means that the reply is complete: the provider said so with
	// its own terminal event. Otherwise the error is, or wraps, one of the
	// errors of this package, the context's or that of Use. Text emitted before an
	// error stands, and the Result has the Usage and the Calls so far, if any.
	Reply(ctx context.Context, c Conversation, emit func(delta string) error) (Result, error)
}

// Conversation is what an agent sees of a session.
type Conversation struct {
	// Persona is who answers.
	Persona Persona
	// Turns are the newest public messages, oldest first; the last one is to be
	// answered. All of them come from the server's record: earlier messages that a
	// client sends along are never believed.
	Turns []Turn
	// Language is the visitor's BCP 47 tag, or "" if unknown.
	Language string
	// Page is where the visitor is; both may be "".
	Page Page
	// Metadata is what the visitor's browser said of the session, which may be
	// false. Attributes are what the project's people and server said.
	Metadata, Attributes map[string]string
	// Checkpoint is the newest state checkpoint, a JSON object, or "".
	Checkpoint string
	// Greeting is what the visitor's page showed before the first message, oldest
	// first. Nobody answers for it: a page may show anything.
	Greeting []string
	// Context is what the visitor's page tells the agent, a JSON object, or "".
	Context string
	// Contact is what the customer's server tells the agent of a visitor whose
	// identity it has proven, a JSON object, or "".
	Contact string
	// Mode is the mode the session is in; zero if it is in none.
	Mode Mode
	// Earlier are the newest tool calls of earlier replies, oldest first.
	Earlier []Call
	// Tools are what the agent may use, under distinct names, none of them that of a
	// control tool.
	Tools []Tool
	// Use carries out a call; calls come one after the other. It is required where
	// there are Tools. Its error ends the reply. A call that merely failed is no
	// error: its Outcome tells the model.
	Use func(ctx context.Context, c Call) (Outcome, error)
	// MaxTokens is the cap on output tokens of the whole reply, above 0.
	MaxTokens int
	// MaxSpend is the cap on all tokens, in and out, of a reply that takes several
	// rounds: no round begins that could exceed it. Zero means no cap.
	MaxSpend int
}

// Mode is a part of a session in which the agent follows further instructions.
type Mode struct{ ID, Name, Instructions string }

// Persona is the AI agent as the project configured it.
type Persona struct {
	ID, Name string
	// Instructions is the project's system prompt for the agent.
	Instructions string
	// Model is the provider's model id; "" is the provider's default.
	Model string
	// Articles is where people can read its help articles, an absolute address; "" is
	// the provider's default.
	Articles string
	// NoTools says that the model takes no tools: it is offered none, and asked for
	// markers in its text instead. There are no Conversation.Tools then.
	NoTools bool
}

// Turn is one message of the conversation.
type Turn struct {
	Role Role
	Text string
	// Attachments names what was attached, e.g. "invoice.pdf (application/pdf)".
	Attachments []string
	At          time.Time
}

// Role says who wrote a Turn.
type Role string

// The roles.
const (
	Visitor Role = "visitor"
	AI      Role = "ai"
	Human   Role = "human" // an operator
	Shown   Role = "page"  // the visitor's page, as a greeting; in a Transcript alone
)

// Page is the page a visitor is on.
type Page struct{ URL, Title string }

// Result is how a complete reply ended.
type Result struct {
	Usage Usage
	// Handover proposes that a human takes over; Reason says why, for operators only.
	Handover bool
	Reason   string
	// Goodbye says that the conversation has come to its end.
	Goodbye bool
	// LikelyResolved says that the reply may well have solved the issue.
	LikelyResolved bool
	// Sources are the articles the reply rests on, best first.
	Sources []Source
	// Truncated says that the limit on output tokens cut the reply.
	Truncated bool
	// Calls are the calls that were carried out, in order. Calls that were
	// rejected before that, because of their arguments for instance, are not among
	// them.
	Calls []Call
}

// Usage counts tokens over all rounds of a reply. Estimated is true if the
// provider did not report them for at least one round.
type Usage struct {
	Input, Output int
	Estimated     bool
}

func (u Usage) plus(v Usage) Usage {
	return Usage{u.Input + v.Input, u.Output + v.Output, u.Estimated || v.Estimated}
}

// Source is an article that a reply is based on. URL is absolute, or "" where people
// cannot read the articles.
type Source struct{ Title, URL string }

// Passage is a section of a help article, found by a query.
type Passage struct {
	Source
	// Article is the path of its file, Section the anchor of its heading, or ""
	// for the article's beginning.
	Article, Section string
	// Text is the section's own text, Markdown.
	Text string
	// Score is how much of the query the passage covers, from 0 to 1.
	Score float64
}

// Errors of Reply.
var (
	// ErrCut means that the provider's stream ended without its terminal event.
	ErrCut = errors.New("stream cut short")
	// ErrThrottled means that the provider had no capacity, before any text.
	ErrThrottled = errors.New("provider throttled")
	// ErrTimeout means that a token did not come in time.
	ErrTimeout = errors.New("provider timed out")
	// ErrProvider means that the provider refused or failed.
	ErrProvider = errors.New("provider failed")
	// ErrLoop means that the model went on calling tools instead of answering.
	ErrLoop = errors.New("model calls tools without end")
)
