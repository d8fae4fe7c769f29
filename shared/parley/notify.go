package parley

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"parley/shared/mail"
)

// This file is what a project says of how its people learn that somebody waits
// for one of them; notify_state.go is what stands of it in the table, and the
// function hooks does it.

// NotifySettings say how a project's people learn that somebody waits for one of
// them. The zero value tells nobody.
type NotifySettings struct {
	// Slack names the secret that is the address of an incoming webhook of Slack's,
	// which is a capability: it stands neither here nor in the table.
	Slack string `json:"slack,omitempty"`
	// Email are the addresses that a mail goes to, at most MaxNotifyEmails.
	Email []string `json:"email,omitempty"`
	// RemindMinutes is after how long it is told again, where nobody came, at most
	// MaxReminders times; 0 means never.
	RemindMinutes int `json:"remind_minutes,omitempty"`
	// QuietHours are when nothing is told. What began in them is told when they
	// end, if somebody still waits then.
	QuietHours QuietHours `json:"quiet_hours,omitzero"`
	// TimeZone is where the project's people are, as in the IANA database,
	// "Europe/Oslo"; "" means UTC.
	TimeZone string `json:"time_zone,omitempty"`
}

// QuietHours are a part of every day, from and to as "22:00". The same hour
// twice, and none, are no quiet hours; a part may reach over midnight.
type QuietHours struct {
	From string `json:"from,omitempty"`
	To   string `json:"to,omitempty"`
}

// Limits of what is told. Our choices.
const (
	MaxNotifyEmails  = mail.MaxRecipients
	MaxRemindMinutes = 24 * 60
	// MaxReminders is how often it is told again that somebody waits.
	MaxReminders = 3
	// NotifyGap is the shortest time between two messages of a project in one way.
	NotifyGap = time.Minute
)

// Way is one of those in which people are told. None waits for another.
type Way string

// The ways.
const (
	WaySlack Way = "slack"
	WayEmail Way = "email"
)

// Ways are those that the project has set.
func (n NotifySettings) Ways() []Way {
	var all []Way
	if n.Slack != "" {
		all = append(all, WaySlack)
	}
	if len(n.Email) > 0 {
		all = append(all, WayEmail)
	}
	return all
}

// FollowerNotify stands for all followers that tell a project's people who waits.
const FollowerNotify Follower = "notify"

// followerRemind begins the followers that tell it again.
const followerRemind = "remind"

// Follower returns the name under which a way follows sessions: one follower
// tells that a wait began, and another that it goes on. So a reminder that is
// hours off keeps no new wait from being told.
func (w Way) Follower(reminds bool) Follower {
	if reminds {
		return Follower(followerRemind + "/" + string(w))
	}
	return FollowerNotify + "/" + Follower(w)
}

// WayOf returns the way that a follower tells in; ok is false for another one.
func WayOf(f Follower) (w Way, reminds, ok bool) {
	before, way, _ := strings.Cut(string(f), "/")
	ok = slices.Contains([]Way{WaySlack, WayEmail}, Way(way)) && (before == string(FollowerNotify) || before == followerRemind)
	return Way(way), before == followerRemind, ok
}

// Followers are all that tell the project's people who waits.
func (n NotifySettings) Followers() []Follower {
	var all []Follower
	for _, w := range n.Ways() {
		all = append(all, w.Follower(false))
		if n.RemindMinutes > 0 {
			all = append(all, w.Follower(true))
		}
	}
	return all
}

// Zone returns the project's time zone; UTC where this machine does not know it.
func (n NotifySettings) Zone() *time.Location {
	zone, err := time.LoadLocation(n.TimeZone)
	if err != nil {
		return time.UTC
	}
	return zone
}

// QuietUntil returns when the quiet hours end in which a time is; ok is false for
// a time in none.
func (n NotifySettings) QuietUntil(at time.Time) (end time.Time, ok bool) {
	from, to := minuteOfDay(n.QuietHours.From), minuteOfDay(n.QuietHours.To)
	at = at.In(n.Zone())
	now := at.Hour()*60 + at.Minute()
	if from < 0 || to < 0 || from == to {
		return time.Time{}, false
	}
	overnight := from > to
	if !overnight && (now < from || now >= to) || overnight && now < from && now >= to {
		return time.Time{}, false
	}
	day := at.Day()
	if overnight && now >= from {
		day++
	}
	end = time.Date(at.Year(), at.Month(), day, to/60, to%60, 0, 0, at.Location())
	if !end.After(at) { // an hour that comes twice when the clock is put back
		end = at.Add(time.Minute)
	}
	return end, true
}

// minuteOfDay returns the minute that "22:00" is; -1 for what is no time.
func minuteOfDay(text string) int {
	t, err := time.Parse("15:04", text)
	if err != nil || len(text) != 5 {
		return -1
	}
	return t.Hour()*60 + t.Minute()
}

func (n NotifySettings) check() error {
	const field = "notify"
	switch {
	case n.Slack != "" && !secretNames().MatchString(n.Slack):
		return invalid(field, "slack is the name of a secret, of letters, digits, _, . and -; the address itself is the secret's value")
	case len(n.Email) > MaxNotifyEmails:
		return invalid(field, "email has at most %d addresses", MaxNotifyEmails)
	case n.RemindMinutes < 0 || n.RemindMinutes > MaxRemindMinutes:
		return invalid(field, "remind_minutes is 0 to %d", MaxRemindMinutes)
	case n.QuietHours != QuietHours{} && (minuteOfDay(n.QuietHours.From) < 0 || minuteOfDay(n.QuietHours.To) < 0):
		return invalid(field, "quiet_hours has from and to, each like 22:00")
	}
	for i, email := range n.Email {
		if err := mail.CheckEmail(email); err != nil {
			return invalid(field, "%s", err.Error())
		}
		if slices.Contains(n.Email[:i], email) {
			return invalid(field, "email has an address twice")
		}
	}
	// "Local" would be wherever the function runs.
	if _, err := time.LoadLocation(n.TimeZone); err != nil || n.TimeZone == "Local" || len(n.TimeZone) > MaxNameBytes {
		return invalid(field, "time_zone is a name of the IANA database, like Europe/Oslo")
	}
	return nil
}

// ConsolePath is what follows the console's address where a session is shown.
func ConsolePath(id SessionID) string { return fmt.Sprintf("#/session/%s", url.PathEscape(string(id))) }
