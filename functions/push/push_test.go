package push_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"parley/functions/internal/functiontest"
	"parley/functions/push"
	"parley/shared/agent"
	"parley/shared/agent/agenttest"
	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/socket"
)

// text is a reply of 1,200 bytes or so in six seconds, as steps of an agent.
var text = words(250)

func slowly(agent.Conversation) []agenttest.Step { return agenttest.Evenly(text, 60, 6*time.Second) }

func saying(deltas ...string) func(agent.Conversation) []agenttest.Step {
	return agenttest.Always(agenttest.Say(deltas...)...)
}

// settle waits until everything that is under way is done.
func (w *world) settle() {
	time.Sleep(3 * time.Second)
	synctest.Wait()
}

// TestRelay: a reply comes in pieces while it is written, then whole, between a pair of
// typing indicators; and everything that follows it follows it.
func TestRelay(t *testing.T) {
	in(t, slowly, func(w *world) {
		w.connect()
		w.send("m1")
		time.Sleep(3 * time.Second)
		if m := w.page.has("r.m1"); len(m.chunks) < 5 || len(m.finals) > 0 {
			t.Errorf("after 3 s the page has %+v", m)
		}
		time.Sleep(4 * time.Second)
		w.settle()
		w.page.wants("typing true", "chunks", "final", "typing false")
		w.page.whole(0, text)
		if n := len(w.page.messages["r.m1"].chunks); n < 15 || n > 20 {
			t.Errorf("%d chunks, want one for each flush, about 18", n)
		}
	})
}

// TestShort: a reply that is there at once has a piece too, and so has one of Parley's
// own sentences.
func TestShort(t *testing.T) {
	failing := agenttest.Always(agenttest.Step{Err: errors.New("down")})
	breaking := agenttest.Always(agenttest.Step{Delta: "one two "}, agenttest.Step{Delay: time.Second, Delta: "three"}, agenttest.Step{Err: errors.New("down")})
	for _, test := range []struct {
		name  string
		steps func(agent.Conversation) []agenttest.Step
		want  []string
	}{
		{"one word", saying("Yes"), []string{"typing true", "chunks", "final", "typing false"}},
		{"failed before any text", failing, []string{"typing true", "chunks", "final", "error generation_failed", "typing false"}},
		{"failed in the middle", breaking, []string{"typing true", "chunks", "final", "error generation_failed", "typing false"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			in(t, test.steps, func(w *world) {
				w.connect()
				w.send("m1")
				w.settle()
				w.page.wants(test.want...)
				stored := parleytest.Entries(t, w.Store, w.visitor, session)
				w.page.whole(0, stored[len(stored)-1].Text)
			})
		})
	}
}

// TestCodePoints: no piece ends within a code point, however long or short it is.
func TestCodePoints(t *testing.T) {
	long := strings.Repeat("漢字🙂é", 1500) // three pieces
	short := long[:3600]
	var bytes []agenttest.Step
	for i := range len(short) {
		bytes = append(bytes, agenttest.Step{Delta: short[i : i+1], Delay: time.Duration(i%7) * time.Millisecond / 2})
	}
	for _, test := range []struct {
		name, text string
		steps      func(agent.Conversation) []agenttest.Step
	}{{"at once", long, saying(long)}, {"byte by byte", short, agenttest.Always(bytes...)}} {
		t.Run(test.name, func(t *testing.T) {
			in(t, test.steps, func(w *world) {
				w.connect()
				w.send("m1")
				time.Sleep(20 * time.Second)
				w.settle()
				w.page.whole(0, test.text)
			})
		})
	}
}

// TestPeople: what a person says has a piece and a final, what the visitor says none,
// and a close ends the connection for good.
func TestPeople(t *testing.T) {
	in(t, saying("Yes"), func(w *world) {
		ref := w.connect()
		w.send("m1")
		w.settle()
		op := parleytest.Operator()
		by := parley.Author{Kind: parley.AuthorHuman, ID: "op", Name: "Op"}
		if err := w.Store.TakeOver(t.Context(), op, session, by); err != nil {
			t.Fatal(err)
		}
		for n := range 2 {
			w.reply(fmt.Sprint("h", n), fmt.Sprint("human", n))
		}
		w.send("m2")
		w.settle()
		told := []string{"typing true", "chunks", "final", "typing false", "chunks", "final", "chunks", "final"}
		w.page.wants(told...)
		w.page.whole(1, "human0")
		w.page.whole(2, "human1")
		if err := w.Store.CloseNow(t.Context(), op, session, by); err != nil {
			t.Fatal(err)
		}
		w.settle()
		w.page.wants(append(told, "ended agent_ended", "close")...)
		if w.gateway.open[ref] != nil {
			t.Error("the connection is still there")
		}
	})
}

// reply is a message of a person.
func (w *world) reply(id, text string) {
	w.Helper()
	_, err := w.Store.Reply(w.Context(), parleytest.Operator(), parley.Author{Kind: parley.AuthorHuman, ID: "op"},
		parley.ReplyRequest{ID: parley.EntryID(id), Session: session, Content: text, KeepHolder: true})
	if err != nil {
		w.Fatal(err)
	}
}

// TestFiles: a person's files are told as lines with their addresses, alone or after the
// text, which is cut where all of it is more than a frame takes.
func TestFiles(t *testing.T) {
	in(t, saying("Yes"), func(w *world) {
		store := parleytest.Store(w, parley.Config{Table: w.Table, Derive: w.Keys.Derive, ProjectLife: -1, Bucket: parleytest.NewBucket(w)})
		write := func(id, text string, names ...string) (links string) {
			w.Helper()
			r := parley.ReplyRequest{ID: parley.EntryID(id), Session: session, Content: text, KeepHolder: true}
			for _, name := range names {
				f, err := store.PutUpload(w.Context(), parleytest.Operator(), "", name, "text/plain", []byte("words"))
				if err != nil {
					w.Fatal(err)
				}
				r.Attachments = append(r.Attachments, f.ID)
				links += "\n" + f.Name + ": https://files.example/files/" + string(f.ID) + "/" + store.FileSecret("demo", f.ID) + "/" + url.PathEscape(f.Name)
			}
			if _, err := store.Reply(w.Context(), parleytest.Operator(), parley.Author{Kind: parley.AuthorHuman, ID: "op"}, r); err != nil {
				w.Fatal(err)
			}
			return links
		}
		w.connect()
		w.send("m1")
		w.settle()
		links := write("h1", "See these:", "a b.txt", "c.txt")
		w.settle()
		w.told("h1", "See these:"+links, false)
		links = write("h2", "", "d.txt")
		w.settle()
		w.told("h2", strings.TrimSpace(links), false)
		var names []string
		for n := range parley.MaxAttachments {
			names = append(names, strings.Repeat("é", 90)+strconv.Itoa(n)+".txt")
		}
		long := strings.Repeat("\"", 14_000) // 28,000 as JSON
		links = write("h3", long, names...)
		w.settle()
		m := w.page.messages["h3"]
		text, whole := strings.CutSuffix(m.finals[0], links)
		if cut, ended := strings.CutSuffix(text, "…"); !whole || !ended || !strings.HasPrefix(long, cut) || len(cut) < 5000 || m.text() != m.finals[0] {
			w.Errorf("the long message ends in %q", m.finals[0][max(0, len(m.finals[0])-300):])
		}
	})
}

// TestStopped: what a visitor cancels or a person takes over grows no further, and its
// final is what was given of it; what had not begun has none.
func TestStopped(t *testing.T) {
	cancel := func(w *world) error {
		_, err := w.Store.Cancel(w.Context(), w.visitor, session, "")
		return err
	}
	takeOver := func(w *world) error {
		return w.Store.TakeOver(w.Context(), parleytest.Operator(), session, parley.Author{Kind: parley.AuthorHuman, ID: "op"})
	}
	end := func(w *world) error {
		_, err := w.Store.End(w.Context(), w.visitor, session)
		return err
	}
	for name, stop := range map[string]func(*world) error{"cancelled": cancel, "taken over": takeOver, "ended": end} {
		for _, slow := range []time.Duration{0, 900 * time.Millisecond} {
			t.Run(fmt.Sprint(name, " with posts of ", slow), func(t *testing.T) {
				in(t, slowly, func(w *world) {
					w.gateway.takes = slow
					w.connect()
					w.send("m1")
					time.Sleep(3 * time.Second)
					if err := stop(w); err != nil {
						t.Fatal(err)
					}
					time.Sleep(2 * time.Second) // until the runner meets it
					m := w.page.has("r.m1")
					given := m.text()
					time.Sleep(5 * time.Second)
					w.settle()
					w.page.wants("typing true", "chunks", "final", "typing false")
					w.page.whole(0, given)
				})
			})
		}
		t.Run(name+" before any text", func(t *testing.T) {
			in(t, agenttest.Always(agenttest.Step{Delay: time.Minute, Delta: "late"}), func(w *world) {
				w.connect()
				w.send("m1")
				time.Sleep(time.Second)
				if err := stop(w); err != nil {
					t.Fatal(err)
				}
				time.Sleep(10 * time.Second)
				w.settle()
				w.page.wants("typing true", "typing false")
			})
		})
	}
}

// TestQueue: replies to several messages come one after the other, never mixed.
func TestQueue(t *testing.T) {
	in(t, slowly, func(w *world) {
		w.connect()
		for n := range 3 {
			w.send(parley.EntryID(fmt.Sprint("m", n)))
		}
		time.Sleep(30 * time.Second)
		w.settle()
		for n := range 3 {
			w.page.whole(n, text)
			if want := fmt.Sprint("r.m", n); w.page.order[n] != want {
				t.Errorf("message %d is %s, want %s", n, w.page.order[n], want)
			}
		}
	})
}

// TestHumanMeanwhile: a person who answers while a reply is written is told after it.
func TestHumanMeanwhile(t *testing.T) {
	in(t, slowly, func(w *world) {
		w.connect()
		w.send("m1")
		for n := range 4 {
			time.Sleep(1700 * time.Millisecond)
			w.reply(fmt.Sprint("h", n), fmt.Sprint("human", n))
		}
		w.settle()
		w.page.whole(0, text)
		for n := range 4 {
			w.page.whole(n+1, fmt.Sprint("human", n))
		}
	})
}

// TestNobody: what nobody was there for is told to whoever comes.
func TestNobody(t *testing.T) {
	in(t, slowly, func(w *world) {
		w.send("m1")
		time.Sleep(10 * time.Second)
		w.settle()
		w.page.wants()
		if n := w.gateway.posts; n != 0 {
			t.Errorf("%d posts to nobody", n)
		}
		w.leave(w.connect(), true)
		w.connect()
		w.settle()
		w.page.whole(0, text)
		w.page.wants("typing true", "chunks", "final", "typing false")
	})
}

// TestMoves: a page that comes back in the middle of a reply goes on where the last one
// was, be its end known or not, be it back at once or after the reply's end.
func TestMoves(t *testing.T) {
	for _, told := range []bool{true, false} {
		for _, away := range []time.Duration{0, time.Second, 10 * time.Second} {
			t.Run(fmt.Sprint(told, away), func(t *testing.T) {
				in(t, slowly, func(w *world) {
					ref := w.connect()
					w.send("m1")
					time.Sleep(2 * time.Second)
					w.leave(ref, told)
					time.Sleep(away)
					w.connect()
					time.Sleep(10 * time.Second)
					w.settle()
					w.page.whole(0, text)
				})
			})
		}
	}
}

// TestFaults: frames that are refused, or of which nobody knows, harm nothing but
// pieces that are lost on the way: the final has all.
func TestFaults(t *testing.T) {
	type fault struct {
		arrives bool
		err     error
	}
	broken := errors.New("502")
	for name, f := range map[string]fault{"busy": {false, socket.ErrBusy}, "lost": {false, broken}, "lost answer": {true, broken}} {
		t.Run(name, func(t *testing.T) {
			in(t, slowly, func(w *world) {
				w.gateway.fault = func(n int, _ socket.Ref, _ []byte) (bool, error) {
					if n%3 == 0 {
						return f.arrives, f.err
					}
					return true, nil
				}
				w.connect()
				w.send("m1")
				time.Sleep(10 * time.Second)
				w.settle()
				m := w.page.messages["r.m1"]
				if len(m.finals) == 0 || m.finals[0] != text {
					t.Errorf("finals %q", m.finals)
				}
				if whole := m.text() == text; whole == (name == "lost") {
					t.Errorf("chunks %q", m.chunks)
				}
				if w.page.typing {
					t.Error("the page still shows that something is written")
				}
			})
		})
	}
}

// TestBusyForLong: what a gateway refuses for long is told when it takes frames again.
func TestBusyForLong(t *testing.T) {
	in(t, saying("one two"), func(w *world) {
		until := time.Now().Add(2 * time.Minute)
		w.gateway.fault = func(int, socket.Ref, []byte) (bool, error) {
			if time.Now().Before(until) {
				return false, socket.ErrBusy
			}
			return true, nil
		}
		w.connect()
		w.send("m1")
		w.sweep(4 * time.Minute)
		w.page.whole(0, "one two")
	})
}

func TestNew(t *testing.T) {
	functiontest.Lacking(t, func() { push.New(push.Config{}) })
	in(t, saying("x"), func(w *world) {
		l, _ := w.process(nil).live()
		h := push.New(push.Config{Live: l})
		for _, e := range []push.Event{{}, {Project: "demo"}, {Session: session}} {
			if h(context.Background(), e) == nil {
				t.Errorf("event %+v was taken", e)
			}
		}
		for _, e := range []push.Event{{Project: "demo", Session: "nobody"}, {Project: "other", Session: session}} {
			if err := h(context.Background(), e); err != nil {
				t.Errorf("event %+v: %v", e, err)
			}
		}
	})
}

// TestVanished: a client that was gone without a word, so that its connection took
// everything, is sent the last frame of what it has missed when it comes back, and
// nothing of it twice.
func TestVanished(t *testing.T) {
	in(t, saying("Yes"), func(w *world) {
		old := w.connect()
		w.gateway.fault = func(_ int, to socket.Ref, _ []byte) (bool, error) { return to != old, nil }
		w.send("m1")
		w.settle()
		w.page.wants()
		w.connect()
		w.settle()
		w.page.wants("final")
		w.connect()
		w.settle()
		w.page.wants("final", "final") // the one before had not been said to have left either
	})
}

// TestProven: what a client was given before it was heard, or before its visitor wrote,
// is not given again when it comes back; what it was given after that is, once.
func TestProven(t *testing.T) {
	in(t, saying("Yes"), func(w *world) {
		ref := w.connect()
		w.send("m1")
		time.Sleep(10 * time.Second)
		w.send("m2") // proves that the reply to m1 arrived
		w.settle()
		w.leave(ref, true)
		ref = w.connect() // nobody knows when its client was heard before
		w.settle()
		finals := func() [2]int {
			w.page.mu.Lock()
			defer w.page.mu.Unlock()
			return [2]int{len(w.page.messages["r.m1"].finals), len(w.page.messages["r.m2"].finals)}
		}
		if got := finals(); got != [2]int{1, 2} {
			t.Errorf("after it came back the page has %v finals", got)
		}
		w.reply("h1", "human1")
		time.Sleep(10 * time.Second)
		w.gateway.mu.Lock()
		w.gateway.since[ref] = time.Now() // its client is heard
		w.gateway.mu.Unlock()
		time.Sleep(time.Minute)
		w.connect()
		w.settle()
		w.told("h1", "human1", false)
		if n := len(w.page.messages["h1"].finals); n != 1 || finals() != [2]int{1, 2} {
			t.Errorf("what was heard of is given again: %d finals, and %v", n, finals())
		}
	})
}

// TestIdleProves: a connection that lasts for longer than an idle one may has had its
// client say something, whoever heard it.
func TestIdleProves(t *testing.T) {
	for after, want := range map[time.Duration]int{9 * time.Minute: 2, 11 * time.Minute: 1} {
		in(t, saying("Yes"), func(w *world) {
			ref := w.connect()
			w.send("m1")
			time.Sleep(after)
			w.leave(ref, true)
			w.connect()
			w.settle()
			if n := len(w.page.messages["r.m1"].finals); n != want {
				t.Errorf("the connection ended %v after the reply: %d finals, want %d", after, n, want)
			}
		})
	}
}

// TestManyUnheard: what a person wrote to a client that had vanished is given again, each
// message once, in order.
func TestManyUnheard(t *testing.T) {
	in(t, saying("Yes"), func(w *world) {
		old := w.connect()
		w.send("m1")
		time.Sleep(10 * time.Second)
		w.gateway.mu.Lock()
		w.gateway.since[old] = time.Now()
		w.gateway.fault = func(_ int, to socket.Ref, _ []byte) (bool, error) { return to != old, nil }
		w.gateway.mu.Unlock()
		time.Sleep(10 * time.Second)
		for n := range 12 {
			w.reply(fmt.Sprint("h", n), fmt.Sprint("human", n))
			w.settle()
		}
		w.connect()
		w.settle()
		for n := range 12 {
			w.told(fmt.Sprint("h", n), fmt.Sprint("human", n), true)
		}
		if got := w.page.order[1:]; len(got) != 12 || got[0] != "h0" || got[11] != "h11" {
			t.Errorf("the page was told %q", got)
		}
		if n := len(w.page.messages["r.m1"].finals); n != 1 {
			t.Errorf("the reply before has %d finals", n)
		}
	})
}

// TestNobodyComes: what a dead responder has left is not looked at for ever where its
// page does not come back, and still told without a piece twice when it does.
func TestNobodyComes(t *testing.T) {
	in(t, slowly, func(w *world) {
		ref := w.connect()
		w.in(&w.responder, func() *process { return &process{w: w, diesAt: 60} })
		w.send("m1")
		time.Sleep(4 * time.Second)
		w.leave(ref, true)
		w.in(&w.responder, nil)
		w.sweep(15 * time.Minute)
		pushes := w.invoked["push"]
		w.sweep(time.Hour)
		if n := w.invoked["push"] - pushes; n > 0 {
			t.Errorf("push was woken %d times in an hour for nobody", n)
		}
		w.connect()
		w.settle()
		w.allTold(session)
	})
}
