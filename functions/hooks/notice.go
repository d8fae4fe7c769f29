package hooks

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"parley/shared/mail"
	"parley/shared/parley"
)

// notice is a message to a project's people.
type notice struct {
	// id names it, thread what it goes on from: the same where it does from nothing.
	id, thread string
	// again says that the first of the waits was told before.
	again bool
	waits []parley.Wait
}

// What a message has of the words of strangers, in bytes, and of how many
// sessions. Our choices: one look says whether to hurry.
const (
	maxQuestionBytes = 500
	maxWhoBytes      = 100
	maxShown         = 10
)

// line is a part of what is told of a wait: a label and what it is of.
type line struct{ label, text string }

// words writes a notice in a project's language. What strangers wrote is one
// line each, without control characters; escaping it is for whoever sends it.
type words struct {
	*parley.Project
	console string
}

func (w words) say(key string, values ...any) string {
	text := w.Say(key, w.Language)
	for _, v := range values { // a project's own sentence need not have it
		text = strings.Replace(text, "%s", fmt.Sprint(v), 1)
	}
	return text
}

// headline says in one sentence what there is.
func (w words) headline(n notice) string {
	switch {
	case len(n.waits) > 1:
		return w.say(parley.TextNotifyMany, len(n.waits))
	case n.again:
		return w.say(parley.TextNotifyAgain)
	}
	return w.say(parley.TextNotifyBegan)
}

// who names whose session it is, and says where nobody vouches for that.
func (w words) who(wait parley.Wait) string {
	p := wait.Person
	name := mail.Line(p.Name, maxWhoBytes)
	if email := mail.Line(p.Email, maxWhoBytes); email != "" {
		name = strings.TrimSpace(name + " <" + email + ">")
	}
	switch {
	case name == "":
		return w.say(parley.TextNotifyVisitor)
	case !wait.Session.Owner.Proven:
		return name + " (" + w.say(parley.TextNotifyUnproven) + ")"
	}
	return name
}

// lines are what is told of a wait, without the link.
func (w words) lines(wait parley.Wait) []line {
	since := time.UnixMilli(wait.Session.WaitingSince).In(w.Notify.Zone()).Format("2 Jan 15:04 MST")
	who := w.who(wait)
	if wait.Session.Left > 0 {
		who += ", " + w.say(parley.TextNotifyLeft)
	}
	all := []line{{w.say(parley.TextNotifyWho), who}}
	if question := mail.Line(wait.Question, maxQuestionBytes); question != "" {
		all = append(all, line{w.say(parley.TextNotifyWrote), question})
	}
	if reason := mail.Line(wait.Reason, maxQuestionBytes); reason != "" {
		all = append(all, line{w.say(parley.TextNotifyWhy), reason})
	}
	return append(all, line{w.say(parley.TextNotifySince), since},
		line{w.say(parley.TextNotifyChannel), string(wait.Session.Channel)})
}

// link opens the session in the console; "" where nobody knows where that is.
func (w words) link(wait parley.Wait) string {
	if w.console == "" {
		return ""
	}
	return w.console + parley.ConsolePath(wait.Session.ID)
}

// shown are the waits that are told of one by one, more how many are not.
func (n notice) shown() (shown []parley.Wait, more int) {
	shown = n.waits[:min(len(n.waits), maxShown)]
	return shown, len(n.waits) - len(shown)
}

// more is the sentence of those that are not told of one by one.
func (w words) more(n int) string { return w.say(parley.TextNotifyMore, strconv.Itoa(n)) }
