package hooks_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"parley/functions/feed"
	"parley/functions/hooks"
	"parley/functions/internal/emf"
	"parley/functions/internal/functiontest"
	"parley/shared/mail"
	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/table"
	"parley/shared/table/fault"
	"parley/shared/table/meter"
)

// people are a project's, who are told by Slack and by mail who waits, in virtual
// time.
type people struct {
	*testing.T
	*functiontest.Kit
	handler  hooks.Handler
	metrics  *buffer
	log      *buffer
	began    time.Time
	asked    atomic.Int64
	why      string // the agent's reason to ask for a person
	mu       sync.Mutex
	slack    []slackPost
	mails    []mail.Message
	answer   func() (*http.Response, error) // of Slack; nil takes
	mailFate func() error                   // of the mail server; nil takes
}

// slackPost is what Slack was asked to show, and when.
type slackPost struct {
	Text   string
	Blocks []struct {
		Type string
		Text struct{ Type, Text string }
	}
	Raw   string
	after time.Duration
}

const slackAddress = "https://hooks.slack.example/services/T0/B0/verysecret"

// told runs test in a bubble of virtual time, at noon in UTC, with settings.
func told(t *testing.T, n parley.NotifySettings, test func(w *people)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(12 * time.Hour) // a bubble begins at midnight of 2000-01-01
		w := &people{T: t, Kit: functiontest.New(t, parley.Config{ProjectLife: -1}), metrics: new(buffer), log: new(buffer), began: time.Now()}
		w.settings(func(p *parley.Project) { p.Notify = n })
		w.handler = w.over(w.Store)
		parleytest.Sweep(t, w.Store)
		test(w)
		if strings.Contains(w.log.String(), "verysecret") {
			t.Errorf("the log has the address of Slack's webhook in it: %s", w.log)
		}
	})
}

// settings changes the project's.
func (w *people) settings(change func(p *parley.Project)) {
	w.Helper()
	p := parleytest.Settings()
	p.Name = "Shop"
	change(&p)
	parleytest.Put(w, w.Store, p)
}

// over returns the function over a store: another instance.
func (w *people) over(s *parley.Store) hooks.Handler {
	w.Helper()
	h := hooks.New(hooks.Config{Store: s, Do: w.do, Files: "https://files.example", Console: "https://desk.example/console",
		Mail: w.mail, MailFrom: "parley@shop.example", Metrics: emf.Log{Writer: w.metrics}, Log: slog.New(slog.NewTextHandler(w.log, nil)),
		Secret: func(_ context.Context, p parley.ProjectID, name string) (string, error) {
			if p != "demo" || name != "team" {
				return "", errors.New("no such secret")
			}
			return slackAddress + "\n", nil
		}})
	return h
}

func (w *people) process(t table.Table) *parley.Store {
	w.Helper()
	return parleytest.Store(w, parley.Config{Table: t, Derive: w.Keys.Derive, ProjectLife: -1})
}

func (w *people) do(r *http.Request) (*http.Response, error) {
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	post := slackPost{Raw: string(raw), after: time.Since(w.began)}
	if err := json.Unmarshal(raw, &post); err != nil || r.Method != http.MethodPost || r.URL.String() != slackAddress || r.Header.Get("Content-Type") != "application/json" {
		w.Errorf("%s %s of %s, %v", r.Method, r.URL, raw, err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.answer != nil {
		if res, err := w.answer(); err != nil || res.StatusCode != http.StatusOK {
			return res, err
		}
	}
	w.slack = append(w.slack, post)
	return answered(http.StatusOK), nil
}

func (w *people) mail(_ context.Context, m mail.Message) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.mailFate != nil {
		if err := w.mailFate(); err != nil {
			return err
		}
	}
	if err := m.Check(); err != nil {
		w.Errorf("mail %+v: %v", m, err)
	}
	w.mails = append(w.mails, m)
	return nil
}

// ask has a new visitor write, and a person asked for.
func (w *people) ask(text string) (parley.Caller, parley.SessionID) {
	w.Helper()
	c := parleytest.Visitor(w, w.Store)
	id := w.handOver(c, "", text)
	w.rings(nil, id)
	return c, id
}

// handOver has a visitor write, and the agent ask for a person.
func (w *people) handOver(c parley.Caller, id parley.SessionID, text string) parley.SessionID {
	w.Helper()
	sent := parleytest.Send(w, w.Store, c, parleytest.Say(parley.EntryID(fmt.Sprint("q", w.asked.Add(1))), id, text))
	if _, err := w.Store.EndRun(w.Context(), sent.Claim.Ref, nil, parley.End{Next: sent.Claim.Next, Of: sent.Claim.First.Of,
		Status: parley.StatusDone, Text: "ok", Unflushed: "ok", Handover: true, HandoverReason: w.why}); err != nil {
		w.Fatal(err)
	}
	return sent.Session.ID
}

// wait has a person waited for once more, and the bell rung for it.
func (w *people) wait(c parley.Caller, id parley.SessionID) error {
	w.Helper()
	before := w.head(id)
	w.handOver(c, id, "Again")
	w.rings(before, id)
	return nil
}

func (w *people) head(id parley.SessionID) table.Item {
	w.Helper()
	for k, item := range parleytest.Everything(w, w.Table) {
		if _, s, ok := parley.HeadOf(k); ok && s == id {
			return item
		}
	}
	return nil
}

// rings hands the feed what happened to a session since, and calls the function
// as often as that has it called.
func (w *people) rings(before table.Item, id parley.SessionID) (calls int) {
	w.Helper()
	bell := hooks.NotifyBell(w.Store, func(ctx context.Context, e hooks.Event) error { calls++; return w.handler(ctx, e) })
	f := feed.New(feed.Config{Bells: []feed.Bell{bell}})
	if failed := f(w.Context(), []feed.Record{{ID: "1", Change: table.Change{Old: before, New: w.head(id)}}}); failed != "" {
		w.Errorf("the feed fails")
	}
	return calls
}

// pass lets time pass, with a sweep each minute.
func (w *people) pass(d time.Duration) {
	w.Helper()
	for ; d > 0; d -= time.Minute {
		time.Sleep(min(d, time.Minute))
		w.sweep(w.handler)
	}
}

func (w *people) sweep(handler hooks.Handler) {
	w.Helper()
	_, err := w.Store.Sweep(w.Context(), parley.SweepHelp{
		Revive: func(_ context.Context, ref parley.RunRef) error { return nil },
		Wake: func(ctx context.Context, f parley.Following) error {
			if !hooks.Does(f.Follower) { // a review of what was resolved
				return nil
			}
			handler(ctx, hooks.EventOf(f)) // a process that dies says nothing
			return nil
		}})
	if err != nil {
		w.Errorf("sweep: %v", err)
	}
}

// at fails the test unless Slack was told at exactly these times, in minutes
// since the beginning, rounded down.
func (w *people) at(what string, want ...int) {
	w.Helper()
	got := []int{}
	for _, p := range w.slack {
		got = append(got, int(p.after/time.Minute))
	}
	if !slices.Equal(got, want) {
		w.Errorf("%s: Slack was told after %v minutes, want %v", what, got, want)
	}
}

// TestToldWhy: the agent's reason to ask for a person is told, and that of a wait
// before is not.
func TestToldWhy(t *testing.T) {
	told(t, slackOnly, func(w *people) {
		w.why = "A refund\nabove 500 euros."
		c, id := w.ask("I want my money back.")
		w.pass(time.Hour)
		if len(w.slack) != 1 || !strings.Contains(w.slack[0].Text, "\nWrote: I want my money back.\nWhy: A refund above 500 euros.\nSince: ") {
			t.Fatalf("Slack was told %+v", w.slack)
		}
		ola := parley.Author{Kind: parley.AuthorHuman, ID: "op", Name: "Ola"}
		if err := w.Store.HandBack(w.Context(), parleytest.Operator(), id, ola); err != nil {
			t.Fatal(err)
		}
		w.why = ""
		w.wait(c, id)
		w.pass(time.Hour)
		if len(w.slack) != 2 || strings.Contains(w.slack[1].Text, "Why") {
			t.Errorf("Slack was told %+v of the next wait", w.slack)
		}
	})
}

var slackOnly = parley.NotifySettings{Slack: "team"}

// TestTold: a wait is told once in each way, with who asks, what, and a link.
func TestTold(t *testing.T) {
	told(t, parley.NotifySettings{Slack: "team", Email: []string{"ola@shop.example", "per@shop.example"}}, func(w *people) {
		c, id := w.ask("Where is my\norder?")
		w.pass(3 * time.Hour)
		if len(w.slack) != 1 || len(w.mails) != 1 {
			t.Fatalf("told %d times by Slack and %d by mail: %s", len(w.slack), len(w.mails), w.log)
		}
		link := "https://desk.example/console#/session/" + string(id)
		want := "Somebody waits for a person.\n\nWho: A visitor\nWrote: Where is my order?\nSince: 1 Jan 12:00 UTC\nChannel: native\nOpen the conversation: " + link + "\n"
		m := w.mails[0]
		if m.Text != want || m.Subject != "Shop: Somebody waits for a person. A visitor" || m.From != (mail.Address{Name: "Shop", Email: "parley@shop.example"}) ||
			fmt.Sprint(m.To) != "[{ ola@shop.example} { per@shop.example}]" || m.Thread != "" || m.ID == "" || strings.Contains(m.ID, string(id)) {
			t.Errorf("mail %+v, want the text %q", m, want)
		}
		p := w.slack[0]
		if p.Text != want || len(p.Blocks) != 3 || p.Blocks[2].Text.Text != "<"+link+"|Open the conversation>" {
			t.Errorf("Slack shows %s", p.Raw)
		}
		if calls := w.rings(w.head(id), id); calls != 0 {
			t.Errorf("%d calls though nothing began", calls)
		}
		before := w.head(id)
		parleytest.Send(t, w.Store, c, parleytest.Say("more", id, "Hello?"))
		if calls := w.rings(before, id); calls != 0 {
			t.Errorf("%d calls for another message of who waits already", calls)
		}
	})
}

// TestWhoAsks: a name that only a browser said is told as that, and one that
// somebody vouches for as it is.
func TestWhoAsks(t *testing.T) {
	told(t, slackOnly, func(w *people) {
		for i, r := range []parley.IdentifyRequest{
			{Name: "Ola\nNordmann", Email: "ola@x.example"},
			{Identity: &parley.Identity{External: "7", Name: "Per", Email: "per@x.example"}},
		} {
			r.Caller = parley.Caller{Project: "demo"}
			got, err := w.Store.Identify(w.Context(), r)
			if err != nil {
				t.Fatal(err)
			}
			v := got.Visitor
			id := w.handOver(parley.Caller{Project: "demo", Visitor: v.ID, Contact: v.Contact, Generation: v.Generation}, "", "Hello?")
			w.rings(nil, id)
			want := []string{"Who: Ola Nordmann <ola@x.example> (not confirmed)\n", "Who: Per <per@x.example>\n"}[i]
			if len(w.slack) != i+1 || !strings.HasPrefix(w.slack[i].Blocks[1].Text.Text, want) {
				t.Errorf("told %+v, want %q", w.slack, want)
			}
			w.pass(2 * time.Minute)
		}
	})
}

// TestGivenUpTogether: a message that is given up for one session loses none of
// those that were to be told with it.
func TestGivenUpTogether(t *testing.T) {
	told(t, slackOnly, func(w *people) {
		posts := 0
		w.answer = func() (*http.Response, error) {
			if posts++; posts == 2 {
				return answered(404), nil
			}
			return answered(200), nil
		}
		for n := range 3 {
			w.ask(fmt.Sprint("question ", n))
		}
		w.pass(5 * time.Minute)
		if len(w.slack) != 2 || posts != 3 || strings.Count(w.slack[1].Text, "Wrote: question") != 1 {
			t.Errorf("%d posts, told %+v", posts, w.slack)
		}
	})
}

// TestNobodyIsTold: nothing is sent, nor called, for a project that does not want
// it, and for a wait that has ended.
func TestNobodyIsTold(t *testing.T) {
	told(t, parley.NotifySettings{RemindMinutes: 5}, func(w *people) {
		_, id := w.ask("Hello?")
		if calls := w.rings(nil, id); calls != 0 {
			t.Errorf("%d calls", calls)
		}
	})
	human := parley.Author{Kind: parley.AuthorHuman, ID: "op", Name: "Ola"}
	for name, end := range map[string]func(w *people, c parley.Caller, id parley.SessionID) error{
		"taken over": func(w *people, _ parley.Caller, id parley.SessionID) error {
			return w.Store.TakeOver(w.Context(), parleytest.Operator(), id, human)
		},
		"handed back": func(w *people, _ parley.Caller, id parley.SessionID) error {
			return w.Store.HandBack(w.Context(), parleytest.Operator(), id, human)
		},
		"resolved": func(w *people, _ parley.Caller, id parley.SessionID) error {
			return w.Store.Resolve(w.Context(), parleytest.Operator(), id, human)
		},
		"spam": func(w *people, _ parley.Caller, id parley.SessionID) error {
			return w.Store.MarkSpam(w.Context(), parleytest.Operator(), id, human)
		},
		"erased": func(w *people, c parley.Caller, id parley.SessionID) error { return w.Store.Erase(w.Context(), c, id) },
		"no longer wanted": func(w *people, _ parley.Caller, _ parley.SessionID) error {
			w.settings(func(*parley.Project) {})
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			told(t, parley.NotifySettings{Slack: "team", RemindMinutes: 10}, func(w *people) {
				down := true
				w.answer = func() (*http.Response, error) {
					if down {
						return answered(503), nil
					}
					return answered(200), nil
				}
				c, id := w.ask("Hello?")
				down = false
				if err := end(w, c, id); err != nil {
					t.Fatal(err)
				}
				w.pass(2 * time.Hour)
				w.at("after the wait had ended")
			})
		})
	}
}

// TestReminders: where nobody comes it is told again, three times, and not once
// more after somebody has come; a new wait is told at once.
func TestReminders(t *testing.T) {
	told(t, parley.NotifySettings{Slack: "team", Email: []string{"ola@shop.example"}, RemindMinutes: 10}, func(w *people) {
		c, id := w.ask("Hello?")
		w.pass(3 * time.Hour)
		w.at("in three hours", 0, 10, 20, 30)
		if text := w.slack[1].Text; !strings.HasPrefix(text, "Somebody still waits for a person, and nobody has come.\n") {
			t.Errorf("the reminder is %q", text)
		}
		ids := map[string]bool{}
		for i, m := range w.mails {
			ids[m.ID] = true
			if i > 0 && m.Thread != w.mails[0].ID {
				t.Errorf("the reminder belongs to %q, want %q", m.Thread, w.mails[0].ID)
			}
		}
		if len(w.mails) != 4 || len(ids) != 4 {
			t.Errorf("%d mails with %d ids", len(w.mails), len(ids))
		}
		human := parley.Author{Kind: parley.AuthorHuman, ID: "op"}
		for _, step := range []func() error{
			func() error { return w.Store.HandBack(w.Context(), parleytest.Operator(), id, human) },
			func() error { return w.wait(c, id) }, // at 180
			func() error { w.pass(15 * time.Minute); return nil },
			func() error { return w.Store.TakeOver(w.Context(), parleytest.Operator(), id, human) },
			func() error { return w.Store.HandBack(w.Context(), parleytest.Operator(), id, human) },
			func() error { return w.wait(c, id) }, // at 195
			func() error { w.pass(12 * time.Minute); return nil },
		} {
			if err := step(); err != nil {
				t.Fatal(err)
			}
		}
		w.at("of three waits", 0, 10, 20, 30, 180, 190, 195, 205)
	})
}

// TestQuietHours: nothing is told in them, and what still waits when they end is.
func TestQuietHours(t *testing.T) {
	n := parley.NotifySettings{Slack: "team", RemindMinutes: 60, TimeZone: "Asia/Kolkata", // 17:30 there at the beginning
		QuietHours: parley.QuietHours{From: "18:00", To: "08:00"}}
	told(t, n, func(w *people) {
		w.ask("before")
		w.pass(time.Hour) // 18:30
		w.at("in quiet hours", 0)
		_, gone := w.ask("nobody waits in the morning")
		w.ask("in the night")
		if err := w.Store.HandBack(w.Context(), parleytest.Operator(), gone, parley.Author{Kind: parley.AuthorHuman, ID: "op"}); err != nil {
			t.Fatal(err)
		}
		w.pass(13 * time.Hour) // 7:30
		w.at("just before they end", 0)
		w.pass(45 * time.Minute)
		const end = 14*60 + 30
		if len(w.slack) < 1 || len(w.slack) > 3 || w.slack[1].after < end*time.Minute || w.slack[1].after > (end+1)*time.Minute {
			t.Fatalf("told %d times: %+v", len(w.slack), w.slack)
		}
		all := ""
		for _, p := range w.slack[1:] {
			all += p.Text
		}
		if strings.Count(all, "Wrote: before") != 1 || strings.Count(all, "Wrote: in the night") != 1 || strings.Contains(all, "nobody waits") {
			t.Errorf("in the morning Slack is told %q", all)
		}
	})
}

// TestManyAtOnce: at most one message a minute; all that begin to wait meanwhile
// are told in the next one, none is lost and none told twice.
func TestManyAtOnce(t *testing.T) {
	told(t, slackOnly, func(w *people) {
		const n = 25
		var all sync.WaitGroup
		for i := range n {
			all.Go(func() {
				time.Sleep(time.Duration(i) * time.Second)
				w.ask(fmt.Sprintf("question %02d.", i))
			})
		}
		all.Wait()
		w.pass(5 * time.Minute)
		w.at("of many", 0, 1)
		if !strings.HasPrefix(w.slack[1].Text, "24 people wait for a person.\n") || !strings.HasSuffix(w.slack[1].Text, "\nAnd 14 more.\n") {
			t.Errorf("the second message is %q", w.slack[1].Text)
		}
		if got := strings.Count(w.slack[1].Text, "Open the conversation: "); got != 10 {
			t.Errorf("%d of them one by one", got)
		}
		w.ask("later")
		w.pass(5 * time.Minute)
		if last := w.slack[len(w.slack)-1].Text; len(w.slack) != 3 || !strings.Contains(last, "Wrote: later") || strings.Contains(last, "question") {
			t.Errorf("afterwards %d messages, the last %q", len(w.slack), last)
		}
	})
}

// TestRefusedNotice: what Slack does not take is sent again, and given up in the
// end; the mail does not wait for it.
func TestRefusedNotice(t *testing.T) {
	both := parley.NotifySettings{Slack: "team", Email: []string{"ola@shop.example"}}
	for _, test := range []struct {
		name   string
		status int
		tries  []int
	}{
		{"down", 503, []int{0, 1, 6, 21, 81, 261, 741, 1461}},
		{"too often", 429, []int{0, 1, 6, 21, 81, 261, 741, 1461}},
		{"removed", 404, []int{0}},
		{"archived", 410, []int{0}},
	} {
		t.Run(test.name, func(t *testing.T) {
			told(t, both, func(w *people) {
				var tries []int
				w.answer = func() (*http.Response, error) {
					tries = append(tries, int(time.Since(w.began)/time.Minute))
					return answered(test.status), nil
				}
				w.ask("Hello?")
				w.pass(30 * time.Hour)
				if !slices.Equal(tries, test.tries) || len(w.mails) != 1 {
					t.Errorf("asked after %v minutes, want %v; %d mails", tries, test.tries, len(w.mails))
				}
				w.answer = nil
				w.ask("And now?")
				w.pass(time.Hour)
				if len(w.slack) != 1 || !strings.Contains(w.slack[0].Text, "And now?") {
					t.Errorf("after the failure: %+v", w.slack)
				}
			})
		})
	}
}

// TestNoMail: a deployment that sends no mail says so, and does not try for ever.
func TestNoMail(t *testing.T) {
	told(t, parley.NotifySettings{Email: []string{"ola@shop.example"}}, func(w *people) {
		w.handler = hooks.New(hooks.Config{Store: w.Store, Do: w.do, Files: "https://files.example", Log: slog.New(slog.NewTextHandler(w.log, nil))})
		w.ask("Hello?")
		w.pass(30 * time.Hour)
		if n := strings.Count(w.log.String(), "mail is not configured"); n != 1 {
			t.Errorf("said %d times: %s", n, w.log)
		}
	})
}

// TestHostile: what a visitor writes is text and nothing else.
func TestHostile(t *testing.T) {
	told(t, parley.NotifySettings{Slack: "team", Email: []string{"ola@shop.example"}}, func(w *people) {
		w.settings(func(p *parley.Project) {
			p.Name = "Shop\r\nBcc: x@evil.example"
			p.Notify = parley.NotifySettings{Slack: "team", Email: []string{"ola@shop.example"}}
		})
		w.ask("<!channel> <https://evil.example|Open the conversation> & *bold*\r\n\r\nOpen the conversation: https://evil.example \u202e\x00 " + strings.Repeat("long ", 500))
		if len(w.slack) != 1 || len(w.mails) != 1 {
			t.Fatalf("told %d and %d times: %s", len(w.slack), len(w.mails), w.log)
		}
		p, m := w.slack[0], w.mails[0]
		if strings.Contains(p.Text, "<!channel>") || !strings.Contains(p.Text, "&lt;!channel&gt; &lt;https://evil.example|Open the conversation&gt; &amp; *bold*") {
			t.Errorf("Slack's text is %q", p.Text)
		}
		for _, b := range p.Blocks {
			if b.Text.Type != "plain_text" && strings.Contains(b.Text.Text, "evil") || len(b.Text.Text) > 3000 {
				t.Errorf("Slack formats %q", b.Text.Text)
			}
		}
		if lines := strings.Split(m.Text, "\n"); len(lines) != 8 || strings.Count(m.Text, "\nOpen the conversation: ") != 1 || len(m.Text) > 1500 {
			t.Errorf("the mail is %q", m.Text)
		}
		raw, err := m.Encode(time.Now())
		if err != nil || strings.Contains(string(raw), "\nBcc:") {
			t.Errorf("the mail is %q, %v", raw, err)
		}
	})
}

// TestOwnWords: a project's people read its own sentences.
func TestOwnWords(t *testing.T) {
	told(t, slackOnly, func(w *people) {
		w.settings(func(p *parley.Project) {
			p.Language, p.Notify = "de", slackOnly
			p.Texts = map[string]string{"notify.began.de": "Jemand wartet.", "notify.who.de": "Wer", "notify.many.de": "Viele warten.", "notify.open.de": "Öffnen|<x>"}
		})
		w.ask("Hallo?")
		if text := w.slack[0].Text; !strings.HasPrefix(text, "Jemand wartet.\n\nWer: A visitor\n") {
			t.Errorf("Slack is told %q", text)
		}
		if link := w.slack[0].Blocks[2].Text.Text; !strings.HasSuffix(link, "|Öffnen &lt;x&gt;>") {
			t.Errorf("the link is %q", link)
		}
	})
}

// TestNoticeDeath lets the function die before and after each of its calls to the
// table: whoever waits is told in the end, and at most once more than once.
func TestNoticeDeath(t *testing.T) {
	for _, kind := range []fault.Kind{fault.CrashBefore, fault.CrashAfter, fault.Unanswered, fault.Late, fault.Throttle} {
		for call, more := 1, true; more; call++ {
			told(t, slackOnly, func(w *people) {
				network := fault.NewNetwork(fault.NetworkConfig{Table: w.Table})
				p := network.Process(fault.Config{Plan: map[int]fault.Kind{call: kind}, Delay: 20 * time.Second})
				sound := w.handler
				w.handler = w.over(w.process(p))
				c := parleytest.Visitor(w, w.Store)
				id := w.handOver(c, "", "Hello?")
				event := hooks.Event{Project: "demo", Session: id, Follower: parley.FollowerNotify}
				err := w.handler(w.Context(), event)
				more = p.Calls() >= call
				w.handler = sound
				if err != nil { // Lambda calls it again
					w.pass(time.Minute)
					if err := w.handler(w.Context(), event); err != nil {
						t.Error(err)
					}
				}
				w.pass(10 * time.Minute)
				if n := len(w.slack); n == 0 || n > 2 || n == 2 && kind == fault.Throttle {
					t.Errorf("told %d times", n)
				}
			})
			if t.Failed() {
				t.Fatalf("after a fault of kind %d at call %d", kind, call)
			}
		}
	}
}

// TestNoticeCost pins what it takes to tell of a wait.
func TestNoticeCost(t *testing.T) {
	for _, test := range []struct {
		name   string
		n      parley.NotifySettings
		writes int
		reads  float64
	}{
		{"one way", slackOnly, 12, 8},
		{"two ways", parley.NotifySettings{Slack: "team", Email: []string{"ola@shop.example"}}, 24, 15.5},
		{"one way with reminders", parley.NotifySettings{Slack: "team", RemindMinutes: 10}, 20, 12.5},
	} {
		t.Run(test.name, func(t *testing.T) {
			told(t, test.n, func(w *people) {
				m := meter.New(meter.Config{Table: w.Table})
				w.handler = w.over(w.process(m))
				w.ask("Hello?")
				if c := m.Counts(); c.WriteUnits() != test.writes || c.ReadUnits() != test.reads {
					t.Errorf("%d write units and %v read units, want %d and %v", c.WriteUnits(), c.ReadUnits(), test.writes, test.reads)
				}
			})
		})
	}
}
