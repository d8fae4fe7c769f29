package parley_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"parley/shared/parley"
	"parley/shared/parleytest"
)

// TestQuietUntil: quiet hours are those of the project's clock, over midnight and
// when it is put forward or back.
func TestQuietUntil(t *testing.T) {
	for _, test := range []struct {
		from, to, zone, at, until string // until "" where it is not quiet
	}{
		{"", "", "", "2026-01-01T00:00:00Z", ""},
		{"12:00", "12:00", "", "2026-01-01T12:00:00Z", ""},
		{"", "08:00", "", "2026-01-01T07:00:00Z", ""},
		{"22:00", "", "", "2026-01-01T23:00:00Z", ""},
		{"22:00", "08:00", "", "2026-01-01T21:59:59Z", ""},
		{"22:00", "08:00", "", "2026-01-01T22:00:00Z", "2026-01-02T08:00:00Z"},
		{"22:00", "08:00", "", "2026-01-31T23:30:00Z", "2026-02-01T08:00:00Z"},
		{"22:00", "08:00", "", "2026-01-02T07:59:59Z", "2026-01-02T08:00:00Z"},
		{"22:00", "08:00", "", "2026-01-02T08:00:00Z", ""},
		{"12:00", "13:30", "", "2026-01-02T12:10:00Z", "2026-01-02T13:30:00Z"},
		{"12:00", "13:30", "", "2026-01-02T11:59:59Z", ""},
		{"12:00", "13:30", "", "2026-01-02T12:00:00Z", "2026-01-02T13:30:00Z"},
		{"12:00", "13:30", "", "2026-01-02T13:30:00Z", ""},
		{"00:00", "06:00", "", "2026-01-02T00:00:00Z", "2026-01-02T06:00:00Z"},
		{"20:00", "00:00", "", "2026-01-02T23:59:00Z", "2026-01-03T00:00:00Z"},
		{"22:00", "08:00", "Europe/Oslo", "2026-07-01T19:59:00Z", ""},
		{"22:00", "08:00", "Europe/Oslo", "2026-07-01T20:00:00Z", "2026-07-02T06:00:00Z"},
		{"22:00", "08:00", "Asia/Kolkata", "2026-07-01T16:30:00Z", "2026-07-02T02:30:00Z"},
		// The clock is put forward from 2:00 to 3:00, and back from 3:00 to 2:00.
		{"22:00", "08:00", "Europe/Oslo", "2026-03-28T23:00:00Z", "2026-03-29T06:00:00Z"},
		{"22:00", "02:30", "Europe/Oslo", "2026-03-28T23:00:00Z", "2026-03-29T01:30:00Z"},
		{"22:00", "08:00", "Europe/Oslo", "2026-10-24T22:00:00Z", "2026-10-25T07:00:00Z"},
		{"22:00", "02:30", "Europe/Oslo", "2026-10-25T01:10:00Z", "2026-10-25T01:30:00Z"},
	} {
		at, err := time.Parse(time.RFC3339, test.at)
		if err != nil {
			t.Fatal(err)
		}
		n := parley.NotifySettings{QuietHours: parley.QuietHours{From: test.from, To: test.to}, TimeZone: test.zone}
		got := ""
		if end, quiet := n.QuietUntil(at); quiet {
			got = end.UTC().Format(time.RFC3339)
		}
		if got != test.until {
			t.Errorf("%s to %s in %q: at %s quiet until %q, want %q", test.from, test.to, test.zone, test.at, got, test.until)
		}
	}
}

// TestNotifySettings: what cannot be sent anywhere is refused when it is stored.
func TestNotifySettings(t *testing.T) {
	many := make([]string, parley.MaxNotifyEmails+1)
	for i := range many {
		many[i] = fmt.Sprintf("a%d@shop.example", i)
	}
	onBolt(t, func(s scene) {
		for _, test := range []struct {
			name string
			n    parley.NotifySettings
			good bool
		}{
			{"nobody", parley.NotifySettings{}, true},
			{"all", parley.NotifySettings{Slack: "team.1", Email: many[1:], RemindMinutes: parley.MaxRemindMinutes,
				QuietHours: parley.QuietHours{From: "22:00", To: "08:00"}, TimeZone: "Europe/Oslo"}, true},
			{"until midnight", parley.NotifySettings{QuietHours: parley.QuietHours{From: "20:00", To: "00:00"}}, true},
			{"from midnight", parley.NotifySettings{QuietHours: parley.QuietHours{From: "00:00", To: "08:00"}}, true},
			{"an address of Slack's", parley.NotifySettings{Slack: "https://hooks.slack.com/services/T0/B0/x"}, false},
			{"a path", parley.NotifySettings{Slack: "../other/team"}, false},
			{"no address", parley.NotifySettings{Email: []string{"ola"}}, false},
			{"a name before it", parley.NotifySettings{Email: []string{"Ola <ola@shop.example>"}}, false},
			{"two in one", parley.NotifySettings{Email: []string{"a@shop.example,b@shop.example"}}, false},
			{"twice", parley.NotifySettings{Email: []string{"a@shop.example", "a@shop.example"}}, false},
			{"too many", parley.NotifySettings{Email: many}, false},
			{"before it began", parley.NotifySettings{RemindMinutes: -1}, false},
			{"in two days", parley.NotifySettings{RemindMinutes: parley.MaxRemindMinutes + 1}, false},
			{"half of the hours", parley.NotifySettings{QuietHours: parley.QuietHours{From: "22:00"}}, false},
			{"no hour", parley.NotifySettings{QuietHours: parley.QuietHours{From: "22:00", To: "24:00"}}, false},
			{"a short hour", parley.NotifySettings{QuietHours: parley.QuietHours{From: "22:00", To: "8:00"}}, false},
			{"no zone", parley.NotifySettings{TimeZone: "Europe/Atlantis"}, false},
			{"wherever this runs", parley.NotifySettings{TimeZone: "Local"}, false},
			{"a file", parley.NotifySettings{TimeZone: "../../etc/passwd"}, false},
		} {
			p := parleytest.Settings()
			p.Notify = test.n
			want := ""
			if !test.good {
				want = "invalid_field"
			}
			s.want(test.name, s.store.PutProject(context.Background(), p), want)
		}
	})
}

// TestNoticeTurn: of many who ask at once one has the turn, within a minute no
// other, and all of these are told of by the next.
func TestNoticeTurn(t *testing.T) {
	onBoth(t, func(s scene) {
		ctx := context.Background()
		turn := func(store *parley.Store, n int) ([]parley.Awaiting, bool) {
			mine := parley.Awaiting{Session: parley.SessionID(fmt.Sprint("s", n)), Told: parley.Told{Wait: int64(n)}}
			others, later, err := store.NoticeTurn(ctx, "demo", parley.WaySlack, mine)
			if err != nil {
				s.Error(err)
			}
			if left := time.Until(later); !later.IsZero() && (left <= 0 || left > parley.NotifyGap) {
				s.Errorf("later is in %v", left)
			}
			return others, later.IsZero()
		}
		if others, ok := turn(s.store, 0); !ok || len(others) > 0 {
			s.Fatalf("the first turn: %v, %v", others, ok)
		}
		var all sync.WaitGroup
		for n := range 5 {
			all.Go(func() {
				store := s.over(s.table)
				for range 2 {
					if others, ok := turn(store, n); ok {
						s.Errorf("a turn within the minute, of %v", others)
					}
				}
			})
		}
		all.Wait()
		if _, later, err := s.store.NoticeTurn(ctx, "demo", parley.WayEmail, parley.Awaiting{Session: "s"}); err != nil || !later.IsZero() {
			s.Errorf("the other way: %v, %v", later, err)
		}
		await(parley.NotifyGap)
		others, ok := turn(s.store, 3)
		if !ok || len(others) != 4 {
			s.Errorf("the next turn: %+v, %v", others, ok)
		}
		for _, o := range others {
			if o.Session == "s3" || o.Told.Wait != int64(o.Session[1]-'0') {
				s.Errorf("others have %+v", o)
			}
		}
		await(parley.NotifyGap)
		if others, ok := turn(s.store, 6); !ok || len(others) > 0 {
			s.Errorf("the turn after it: %v, %v", others, ok)
		}
	})
}

// TestQuestionOfAWait: people are told the visitor's newest message, and neither an
// older one nor a note that an operator wrote since; and why the agent handed over, but
// not why it did before a person came and gave the session back.
func TestQuestionOfAWait(t *testing.T) {
	onBolt(t, func(s scene) {
		ctx := context.Background()
		claim := s.send(say("m1", "")).Claim
		id := claim.Ref.Session
		_, err := s.store.EndRun(ctx, claim.Ref, nil, parley.End{Next: claim.Next, Of: "m1", Status: parley.StatusDone,
			Text: "A colleague comes", Unflushed: "A colleague comes", Handover: true, HandoverReason: "wants a refund"})
		s.want("hand over", err, "")
		s.send(parley.SendRequest{ID: "m2", Session: id, Content: "Is anybody there?"})
		_, err = s.store.Reply(ctx, s.operator(), human("Ola"), parley.ReplyRequest{ID: "r1", Session: id, Content: "A note.", Internal: true})
		s.want("note", err, "")
		w, err := s.store.ReadWait(ctx, parleytest.Project, id)
		if err != nil || w.Question != "Is anybody there?" || w.Reason != "wants a refund" {
			s.Errorf("ReadWait = %q, %q, %v", w.Question, w.Reason, err)
		}
		s.want("take over", s.store.TakeOver(ctx, s.operator(), id, human("Ola")), "")
		s.want("hand back", s.store.HandBack(ctx, s.operator(), id, human("Ola")), "")
		await(time.Minute)
		claim = s.send(say("m3", id)).Claim
		_, err = s.store.EndRun(ctx, claim.Ref, nil, parley.End{Next: claim.Next, Of: "m3", Status: parley.StatusDone,
			Text: "Again", Unflushed: "Again", Handover: true})
		s.want("hand over again", err, "")
		if w, err := s.store.ReadWait(ctx, parleytest.Project, id); err != nil || w.Question != "question m3" || w.Reason != "" {
			s.Errorf("ReadWait = %q, %q, %v", w.Question, w.Reason, err)
		}
	})
}

// TestWaysAreFollowed: each way that a project has set follows its sessions, and once
// more where it reminds; and a follower's name says which it is.
func TestWaysAreFollowed(t *testing.T) {
	for _, test := range []struct {
		settings parley.NotifySettings
		want     string
	}{
		{parley.NotifySettings{}, "[]"},
		{parley.NotifySettings{RemindMinutes: 5}, "[]"},
		{parley.NotifySettings{Slack: "s"}, "[notify/slack]"},
		{parley.NotifySettings{Email: []string{"a@shop.example"}}, "[notify/email]"},
		{parley.NotifySettings{Slack: "s", Email: []string{"a@shop.example"}, RemindMinutes: 1}, "[notify/slack remind/slack notify/email remind/email]"},
	} {
		if got := fmt.Sprint(test.settings.Followers()); got != test.want {
			t.Errorf("followers of %+v are %s, want %s", test.settings, got, test.want)
		}
	}
	for name, want := range map[parley.Follower]string{"notify/slack": "slack false true", "remind/email": "email true true",
		"notify/fax": "fax false false", "review": " false false", "hook/slack": "slack false false"} {
		w, reminds, ok := parley.WayOf(name)
		if got := fmt.Sprint(w, " ", reminds, ok); got != want {
			t.Errorf("WayOf(%s) = %s, want %s", name, got, want)
		}
	}
}

// TestToldIsOfAWait: what people were told is of one wait and one way, and of a session
// that is gone nothing is kept.
func TestToldIsOfAWait(t *testing.T) {
	onBoth(t, func(s scene) {
		ctx := context.Background()
		id := s.turn("m1").ID
		told := parley.Told{Wait: 7, Times: 2, At: 5, Failed: 1}
		s.want("put", s.store.PutTold(ctx, parleytest.Project, id, parley.WaySlack, told), "")
		for _, test := range []struct {
			way  parley.Way
			wait int64
			want parley.Told
		}{{parley.WaySlack, 7, told}, {parley.WaySlack, 8, parley.Told{Wait: 8}}, {parley.WayEmail, 7, parley.Told{Wait: 7}}} {
			if got, err := s.store.Told(ctx, parleytest.Project, id, test.way, test.wait); err != nil || got != test.want {
				s.Errorf("told by %s of wait %d: %+v, %v, want %+v", test.way, test.wait, got, err, test.want)
			}
		}
		s.want("erase", s.store.Erase(ctx, s.visitor, id), "")
		s.unchanged("told of what is gone", func() {
			s.want("it", s.store.PutTold(ctx, parleytest.Project, id, parley.WaySlack, told), "")
		})
	})
}
