package docs

import (
	"context"
	"strings"
	"time"

	"parley/shared/agent"
)

// maxAlso is how many further sections an answer links to, and alsoScore the
// share of the best section's score that they must have.
const (
	maxAlso   = 2
	alsoScore = 0.6
)

// Reply implements agent.Agent. It fails only with the error of ctx or emit, and
// uses no tokens.
func (a *Agent) Reply(ctx context.Context, c agent.Conversation, emit func(string) error) (agent.Result, error) {
	text, result := a.answer(c)
	if err := a.stream(ctx, text, emit); err != nil {
		return agent.Result{}, err
	}
	return result, nil
}

// answer chooses the reply to the visitor's last message.
func (a *Agent) answer(c agent.Conversation) (string, agent.Result) {
	asked, before := lastMessage(c.Turns)
	say := func(key string) string { return a.text(key, c.Language) }
	wish := intentOf(asked)
	switch {
	case wish == agrees && (before == say(TextNothing) || before == say(TextWho)):
		wish = wantsHuman
	case wish == refuses && before == say(TextThanks):
		wish = goodbye
	}
	switch wish {
	case wantsHuman:
		return say(TextHuman), agent.Result{Handover: true, Reason: "The visitor asked for a human."}
	case greeting:
		return say(TextGreeting), agent.Result{}
	case whoIsThis:
		return say(TextWho), agent.Result{}
	case thanks:
		return say(TextThanks), agent.Result{LikelyResolved: true}
	case goodbye:
		return say(TextGoodbye), agent.Result{LikelyResolved: true, Goodbye: true}
	}
	hits := a.answers(asked)
	if len(hits) == 0 {
		return say(TextNothing), agent.Result{}
	}
	return a.quotation(asked, hits, say)
}

// lastMessage returns the visitor's last message, and the message to the visitor
// before it.
func lastMessage(turns []agent.Turn) (asked, before string) {
	for i := len(turns) - 1; i >= 0; i-- {
		switch {
		case turns[i].Role == agent.Visitor && asked == "":
			asked = turns[i].Text
		case turns[i].Role != agent.Visitor:
			return asked, turns[i].Text
		}
	}
	return asked, ""
}

// answers returns the sections that answer a question, best first: the one to
// quote, and further ones to link to.
func (a *Agent) answers(question string) []hit {
	var good []hit
	for _, h := range a.index.find(question) {
		if !h.answers() {
			continue
		}
		if len(good) > maxAlso || len(good) > 0 && h.score < good[0].score*alsoScore {
			break
		}
		good = append(good, h)
	}
	return good
}

func (a *Agent) quotation(question string, hits []hit, say func(key string) string) (string, agent.Result) {
	var result agent.Result
	var links []string
	for _, h := range hits {
		source := a.source(&a.index.sections[h.section])
		result.Sources = append(result.Sources, source)
		links = append(links, mention(source))
	}
	best := &a.index.sections[hits[0].section]
	text := a.linked(a.index.excerpt(best, question)) + "\n\n" + strings.ReplaceAll(say(TextFrom), "{article}", links[0])
	if len(links) > 1 {
		text += "\n\n" + strings.ReplaceAll(say(TextSeeAlso), "{articles}", strings.Join(links[1:], ", "))
	}
	return text, result
}

// mention names an article, and links it where people can read it.
func mention(s agent.Source) string {
	if s.URL == "" {
		return escape(s.Title)
	}
	return "[" + escape(s.Title) + "](" + s.URL + ")"
}

// escape keeps brackets in a title from ending the link.
func escape(title string) string {
	return strings.NewReplacer("[", `\[`, "]", `\]`).Replace(title)
}

// pieces matches up to three words, with the white space after each.
var pieces = lazy(`\s*(?:\S+\s*){1,3}`)

// stream emits text in pieces of a few words at the agent's pace.
func (a *Agent) stream(ctx context.Context, text string, emit func(string) error) error {
	for i, piece := range pieces().FindAllString(text, -1) {
		if err := a.wait(ctx, i > 0); err != nil {
			return err
		}
		if err := emit(piece); err != nil {
			return err
		}
	}
	return nil
}

// wait lets the pace pass between two pieces.
func (a *Agent) wait(ctx context.Context, between bool) error {
	if between && a.pace > 0 {
		timer := time.NewTimer(a.pace)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	return ctx.Err()
}
