package parley_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/socket"
	"parley/shared/table"
	"parley/shared/table/fault"
	"parley/shared/table/meter"
)

// tab is a connection of the scene's visitor in a dialect whose clients take frames
// at once and tell sessions apart themselves.
func (s scene) tab(id string) parley.Connection {
	return parley.Connection{Ref: socket.Ref{API: "cossistant", ID: id}, Project: parleytest.Project, Channel: parley.ChannelCossistant,
		Caller: s.visitor, Ready: true}
}

func (s scene) console(id string) parley.Connection {
	return parley.Connection{Ref: socket.Ref{API: "console", ID: id}, Project: parleytest.Project, Caller: s.operator(), Ready: true}
}

// ids returns the ids of connections, in order.
func ids(list []parley.Connection, err error) string {
	if err != nil {
		return err.Error()
	}
	var out []string
	for _, c := range list {
		out = append(out, c.ID)
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

// found fails the test unless these are the connections of the visitor, of the team
// and of session "h".
func (s scene) found(when, visitor, team, session string) {
	s.Helper()
	ctx := context.Background()
	for _, list := range []struct{ what, got, want string }{
		{"visitor", ids(s.store.VisitorConnections(ctx, parleytest.Project, s.visitor.Visitor)), visitor},
		{"team", ids(s.store.TeamConnections(ctx, parleytest.Project)), team},
		{"session", ids(s.store.SessionConnections(ctx, parleytest.Project, "h")), session},
	} {
		if list.got != list.want {
			s.Errorf("%s: the connections of the %s are %q, want %q", when, list.what, list.got, list.want)
		}
	}
}

// beginHub begins session "h" of the scene's visitor in ChatHub.
func (s scene) beginHub() {
	s.Helper()
	s.beginAs("h")
}

func (s scene) beginAs(id parley.SessionID) {
	s.Helper()
	r := say("first of "+parley.EntryID(id), id)
	r.Channel, r.Begins = parley.ChannelChatHub, true
	s.reply(s.send(r).Claim, "an answer")
}

// TestConnectionsAreFound: by id, by visitor, by team and by session, until they end or
// their time is over, and by nobody of another project.
func TestConnectionsAreFound(t *testing.T) {
	onBoth(t, func(s scene) {
		ctx := context.Background()
		s.beginHub()
		s.connect(s.tab("t1="))
		await(time.Hour)
		s.connect(s.tab("t2="))
		hub := s.connect(s.chathub("h1=", "h"))
		s.connect(s.console("c1="))
		s.connect(s.console("c2="))
		refused := s.tab("no=")
		refused.Refused = true
		if got := s.connect(refused); !got.Refused {
			s.Errorf("refused = %+v", got)
		}
		s.found("before the client is ready", "h1= t1= t2=", "c1= c2=", "")
		s.ready(hub)
		s.want("watch", s.store.Watch(ctx, s.console("c1=").Ref, "h"), "")
		s.found("all", "h1= t1= t2=", "c1= c2=", "c1= h1=")
		if got, err := s.store.SessionConnections(ctx, parleytest.Project, "h"); err != nil || len(got) != 2 ||
			got[0].Caller.Operator != "op" || got[0].Channel != "" || got[1].Channel != parley.ChannelChatHub ||
			got[1].Caller.Visitor != s.visitor.Visitor || got[1].Session != "h" || got[1].Metadata != nil {
			s.Errorf("connections of the session = %+v, %v", got, err)
		}
		if got := ids(s.store.VisitorConnections(ctx, "other", s.visitor.Visitor)) + ids(s.store.TeamConnections(ctx, "other")) +
			ids(s.store.SessionConnections(ctx, "other", "h")); got != "" {
			s.Errorf("another project has %q", got)
		}
		for _, ref := range []socket.Ref{{API: "cossistant", ID: "h1="}, {API: "chathub", ID: "h1"}, {}, {API: "chathub", ID: "a/b"}, {API: "chathub", ID: strings.Repeat("x", 200)}} {
			_, err := s.store.ConnectionOf(ctx, ref)
			s.want(fmt.Sprintf("connection %v", ref), err, "not_found")
			s.unchanged("the end of what is unknown", func() { s.want("disconnect", s.store.Disconnect(ctx, ref, true), "") })
		}
		await(time.Hour + 4*time.Minute + 59*time.Second)
		s.found("before the first has expired", "h1= t1= t2=", "c1= c2=", "c1= h1=")
		await(time.Second)
		s.found("when the first has expired", "h1= t2=", "c1= c2=", "c1= h1=")
		_, err := s.store.ConnectionOf(ctx, s.tab("t1=").Ref)
		s.want("what has expired", err, "not_found")
		s.unchanged("connecting again", func() {
			again := s.tab("t2=")
			again.Caller.Address = "" // the address's counter is another matter
			s.want("connect", s.store.Connect(ctx, again), "")
		})
		for _, ref := range []socket.Ref{s.tab("t2=").Ref, hub.Ref, s.console("c1=").Ref} {
			s.want("disconnect", s.store.Disconnect(ctx, ref, false), "")
			_, err := s.store.ConnectionOf(ctx, ref)
			s.want("what has ended", err, "not_found")
		}
		s.found("after some have ended", "", "c2=", "")
		await(time.Hour)
		for k := range s.table.Dump(s) {
			if strings.Contains(k.PK+k.SK, "connection") {
				s.Errorf("%v is left", k)
			}
		}
	})
}

// TestConnectionsOnTheWire: what a page says when it connects is bounded, and nobody's
// address is kept.
func TestConnectionsOnTheWire(t *testing.T) {
	onBolt(t, func(s scene) {
		ctx := context.Background()
		for what, change := range map[string]func(*parley.Connection){
			"invalid_field: no project":  func(c *parley.Connection) { c.Project = "" },
			"invalid_field: no id":       func(c *parley.Connection) { c.ID = "" },
			"invalid_field: a bad id":    func(c *parley.Connection) { c.ID = "a\nb" },
			"too_large: a long id":       func(c *parley.Connection) { c.ID = strings.Repeat("x", 200) },
			"too_large: a long language": func(c *parley.Connection) { c.Language = strings.Repeat("x", 36) },
			"invalid_field: a session":   func(c *parley.Connection) { c.Session = "a\x00" },
			"too_large: long metadata":   func(c *parley.Connection) { c.Metadata = map[string]string{"a": strings.Repeat("x", 501)} },
			"too_large: much metadata": func(c *parley.Connection) {
				for i := range 20 {
					c.Metadata[fmt.Sprint(i)] = strings.Repeat("x", 499)
				}
			},
		} {
			c := s.chathub("x=", "h")
			change(&c)
			s.unchanged(what, func() {
				code, _, _ := strings.Cut(what, ":")
				s.want(what, s.store.Connect(ctx, c), code)
			})
		}
		s.connect(s.chathub("h1=", "h"))
		for k, item := range s.table.Dump(s) {
			for name, value := range item {
				if said := fmt.Sprint(value); strings.Contains(said, s.visitor.Address) {
					s.Errorf("%v holds the address in %s", k, name)
				}
			}
		}
	})
}

// TestConnectsAreBounded: one address makes so many connections in a minute, whatever
// it is; another may, and so may the team.
func TestConnectsAreBounded(t *testing.T) {
	onBolt(t, func(s scene) {
		ctx := context.Background()
		stores := []*parley.Store{s.store, s.over(s.table), s.over(s.table)}
		n := 0
		connect := func(c parley.Connection) error {
			n++
			c.ID = fmt.Sprint(n)
			return stores[n%len(stores)].Connect(ctx, c)
		}
		let := 0
		var err error
		for range 1000 {
			if e := connect(s.tab("")); e == nil {
				let++
			} else {
				err = e
			}
		}
		var limit *parley.Error
		if !errors.As(err, &limit) || limit.Code != "connects_limit" || !is(err, parley.ErrLimit) || limit.RetryAfter <= 0 || limit.RetryAfter > time.Minute {
			s.Errorf("connect = %v", err)
		}
		// What another process has in its block and does not use is lost to this minute.
		if let > parley.ConnectsPerMinute || let < parley.ConnectsPerMinute-3*4 {
			s.Errorf("%d connections in a minute, at most %d are let", let, parley.ConnectsPerMinute)
		}
		elsewhere := s.tab("")
		elsewhere.Caller.Address = "198.51.100.1"
		s.want("from elsewhere", connect(elsewhere), "")
		s.want("a console", connect(s.console("")), "")
		await(time.Minute)
		s.want("a minute later", connect(s.tab("")), "")
	})
}

// TestWatch: a console looks at one session of its project at a time.
func TestWatch(t *testing.T) {
	onBoth(t, func(s scene) {
		ctx := context.Background()
		s.beginHub()
		s.beginAs("other")
		c := s.connect(s.console("c1="))
		for _, step := range []struct {
			id   parley.SessionID
			want string
			at   string
		}{{"h", "", "c1="}, {"h", "", "c1="}, {"other", "", ""}, {"nobody's", "not_found", ""}, {"h", "", "c1="}, {"", "", ""}, {"h", "", "c1="}} {
			s.want("watch "+string(step.id), s.store.Watch(ctx, c.Ref, step.id), step.want)
			s.found("looking at "+string(step.id), "", "c1=", step.at)
		}
		s.connect(s.tab("t1="))
		s.want("a visitor", s.store.Watch(ctx, s.tab("t1=").Ref, "h"), "operators_only")
		s.want("disconnect", s.store.Disconnect(ctx, c.Ref, false), "")
		s.want("when it has ended", s.store.Watch(ctx, c.Ref, "h"), "not_found")
		s.found("when it has ended", "t1=", "", "")
	})
}

// TestWatchRaces: frames of one connection are handled at the same time. Whichever is
// last, the console is at one session, and at none when it has ended.
func TestWatchRaces(t *testing.T) {
	onBolt(t, func(s scene) {
		ctx := context.Background()
		sessions := []parley.SessionID{"h", "i", "j"}
		for _, id := range sessions {
			s.beginAs(id)
		}
		for round := range 30 {
			c := s.connect(s.console(fmt.Sprint("c", round)))
			ends := round%2 == 0
			wait := inParallel(6, func(i int) {
				if ends && i == 3 {
					s.want("disconnect", s.store.Disconnect(ctx, c.Ref, false), "")
					return
				}
				if err := s.store.Watch(ctx, c.Ref, sessions[i%3]); err != nil && !is(err, parley.ErrNotFound) {
					s.Errorf("watch = %v", err)
				}
			})
			wait()
			at := 0
			for _, id := range sessions {
				got, err := s.store.SessionConnections(ctx, parleytest.Project, id)
				if err != nil {
					s.Fatal(err)
				}
				at += len(got)
			}
			if want := map[bool]int{true: 0, false: 1}[ends]; at != want {
				s.Errorf("round %d: the console is at %d sessions, want %d", round, at, want)
			}
			if !ends {
				s.want("disconnect", s.store.Disconnect(ctx, c.Ref, false), "")
			}
		}
	})
}

// inParallel runs do n times at once and returns what waits for all of them.
func inParallel(n int, do func(i int)) (wait func()) {
	done := make(chan struct{}, n)
	for i := range n {
		go func() {
			do(i)
			done <- struct{}{}
		}()
	}
	return func() {
		for range n {
			<-done
		}
	}
}

// TestCostOfConnections pins what a connection costs, and that one which only keeps
// itself alive costs nothing.
func TestCostOfConnections(t *testing.T) {
	onBolt(t, func(s scene) {
		s.beginHub()
		m := meter.New(meter.Config{Table: s.table})
		store := s.over(m)
		ctx := context.Background()
		hub, tab, console := s.chathub("h1=", "h"), s.tab("t1="), s.console("c1=")
		for _, c := range []*parley.Connection{&hub, &tab} {
			c.Caller.Address = ""
		}
		for _, step := range []struct {
			what   string
			writes int
			reads  float64
			do     func() error
		}{
			{"connect", 4, 0, func() error { return store.Connect(ctx, hub) }},
			{"the connection of a frame", 0, 0.5, func() error { _, err := store.ConnectionOf(ctx, hub.Ref); return err }},
			{"attach", 3, 4, func() error { _, err := store.Attach(ctx, hub); return err }},
			{"the line before a push", 0, 0.5, func() error { _, err := store.LineOf(ctx, parleytest.Project, "h"); return err }},
			{"the newest session of a token", 0, 2, func() error { _, _, err := store.Newest(ctx, parleytest.Project, hub.Token); return err }},
			{"who is at the session", 0, 0.5, func() error { _, err := store.SessionConnections(ctx, parleytest.Project, "h"); return err }},
			{"disconnect", 3, 1, func() error { return store.Disconnect(ctx, hub.Ref, false) }},
			{"connect a tab", 4, 0, func() error { return store.Connect(ctx, tab) }},
			{"who is the visitor's", 0, 0.5, func() error {
				_, err := store.VisitorConnections(ctx, parleytest.Project, s.visitor.Visitor)
				return err
			}},
			{"disconnect a tab", 2, 1, func() error { return store.Disconnect(ctx, tab.Ref, false) }},
			{"connect a console", 4, 0, func() error { return store.Connect(ctx, console) }},
			{"look at a session", 4, 1, func() error { return store.Watch(ctx, console.Ref, "h") }},
		} {
			m.Reset()
			if err := step.do(); err != nil {
				s.Fatalf("%s: %v", step.what, err)
			}
			if c := m.Counts(); c.WriteUnits() != step.writes || c.ReadUnits() != step.reads {
				s.Errorf("%s: %d write and %v read units, want %d and %v", step.what, c.WriteUnits(), c.ReadUnits(), step.writes, step.reads)
			}
		}
	})
}

// TestConnectionsAreErased: with a session goes whatever names it or whom it is of.
func TestConnectionsAreErased(t *testing.T) {
	onBoth(t, func(s scene) {
		ctx := context.Background()
		s.beginHub()
		s.beginAs("kept")
		s.ready(s.connect(s.chathub("h1=", "h")))
		s.connect(s.chathub("h2=", "h")) // that is not ready yet
		kept := s.chathub("k1=", "kept")
		kept.Token = s.store.TokenHash(parleytest.Project, "guide", "user_2")
		s.ready(s.connect(kept))
		console := s.connect(s.console("c1="))
		s.want("watch", s.store.Watch(ctx, console.Ref, "h"), "")
		s.want("erase", s.store.Erase(ctx, s.visitor, "h"), "")
		for k, item := range s.table.Dump(s) {
			head := k == table.Key{PK: "demo/session/h", SK: "entry~"}
			for name, value := range item {
				if segments := strings.Split(fmt.Sprint(value), "/"); !head && (value == "h" || slices.Contains(segments, "h")) {
					s.Errorf("%v names the session in %s = %v", k, name, value)
				}
			}
		}
		s.found("erased", "k1=", "c1=", "")
		_, _, err := s.store.Newest(ctx, parleytest.Project, s.chathub("", "").Token)
		s.want("the newest of its token", err, "not_found")
		if id, _, err := s.store.Newest(ctx, parleytest.Project, kept.Token); err != nil || id != "kept" {
			s.Errorf("newest of another token = %q, %v", id, err)
		}
		s.unchanged("what comes late", func() {
			_, err := s.store.Attach(ctx, s.chathub("h2=", "h"))
			s.want("attach", err, "not_found")
			s.want("disconnect", s.store.Disconnect(ctx, s.chathub("h1=", "h").Ref, true), "")
		})
		late := s.connect(s.chathub("h3=", "h"))
		_, err = s.store.Attach(ctx, late)
		s.want("attach to what is erased", err, "not_found")
	})
}

// TestConnectionsOverABadTable: over a table that loses answers, delays writes and
// refuses calls a connection comes, is found and goes.
func TestConnectionsOverABadTable(t *testing.T) {
	onBolt(t, func(s scene) {
		s.beginHub()
		ctx := context.Background()
		network := fault.NewNetwork(fault.NetworkConfig{Table: s.table})
		bad := s.over(network.Process(fault.Config{Seed: 7, Chance: map[fault.Kind]float64{fault.Conflict: 0.1, fault.Unanswered: 0.1, fault.Lost: 0.05, fault.Twice: 0.1}}))
		for n := range 50 {
			c := s.chathub(fmt.Sprint("h", n), "h")
			c.Caller.Address = ""
			s.want("connect", bad.Connect(ctx, c), "")
			_, err := bad.Attach(ctx, c)
			s.want("attach", err, "")
			if to, ok := s.line("h").Current(); !ok || to != c.Ref {
				s.Errorf("current = %v, %v, want %v", to, ok, c.Ref)
			}
			s.want("disconnect", bad.Disconnect(ctx, c.Ref, n%2 == 0), "")
			if l := s.line("h"); l.Left.IsZero() || l.Meant != (n%2 == 0) {
				s.Errorf("line = %+v", l)
			}
		}
		s.found("at the end", "", "", "")
	})
}
