package cossistantws_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"parley/functions/cossistantws"
	"parley/functions/internal/functiontest"
	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/socket"
	"parley/shared/table"
)

// page is the function with one page's connection, in virtual time.
type page struct {
	*testing.T
	*functiontest.Kit
	handle    socket.Handler
	connected time.Time
	visitor   parley.VisitorID
	meets     int
	typed     []string
}

// Post, Close and Active make a page a socket.Poster that reaches nobody.
func (p *page) Post(context.Context, socket.Ref, []byte) error { return socket.ErrGone }
func (p *page) Close(context.Context, socket.Ref) error        { return nil }
func (p *page) Active(context.Context, socket.Ref) (time.Time, error) {
	return time.Time{}, socket.ErrGone
}

// in has test use a page whose visitor somebody may have vouched for before it connects.
func in(t *testing.T, external string, test func(p *page)) {
	synctest.Test(t, func(t *testing.T) {
		p := &page{T: t, Kit: functiontest.New(t, parley.Config{ProjectLife: -1})}
		p.handle = cossistantws.New(cossistantws.Config{API: p.API, Sockets: p,
			Meet:   func(context.Context, parley.ProjectID, socket.Ref) error { p.meets++; return nil },
			Refuse: func(_ context.Context, _ socket.Ref, code, _ string) error { t.Log(code); return nil },
			Typing: func(_ context.Context, _ *parley.Session, _ parley.Author, _ bool, text string) {
				p.typed = append(p.typed, text)
			}})
		p.visitor, p.connected = p.arrives(external), time.Now()
		if a := p.event(socket.Event{Kind: socket.Connect, Header: http.Header{"Origin": {"http://localhost:3000"}},
			Query: url.Values{"visitorId": {string(p.visitor)}, "publicKey": {p.Key}}}); a.Status != http.StatusOK {
			t.Fatalf("connect = %d", a.Status)
		}
		test(p)
	})
}

func (p *page) event(e socket.Event) socket.Answer {
	e.Ref, e.Connected, e.Address = socket.Ref{API: "cossistant", ID: "one="}, p.connected, "203.0.113.7"
	return p.handle(p.Context(), e)
}

func (p *page) says(frame string) string {
	return string(p.event(socket.Event{Kind: socket.Message, Frame: []byte(frame)}).Frame)
}

func bare(v parley.VisitorID) parley.Caller {
	return parley.Caller{Project: parleytest.Project, Channel: parley.ChannelCossistant, Address: "203.0.113.7", Bare: true, Visitor: v}
}

// arrives is a new visitor, proven to be somebody where external is given.
func (p *page) arrives(external string) parley.VisitorID {
	p.Helper()
	v, err := p.Store.Arrive(p.Context(), bare(""), "")
	if err != nil {
		p.Fatal(err)
	}
	p.proven(v.ID, external)
	return v.ID
}

func (p *page) proven(v parley.VisitorID, external string) {
	p.Helper()
	if external == "" {
		return
	}
	if _, err := p.Store.Prove(p.Context(), bare(v), parley.Identity{External: external}); err != nil {
		p.Fatal(err)
	}
}

// TestTypingOfWhoHasMoved: who was vouched for as somebody else since it connected does
// not type into what is no longer its own.
func TestTypingOfWhoHasMoved(t *testing.T) {
	in(t, "u1", func(p *page) {
		other := p.arrives("u1")
		owner, err := p.Store.BareCaller(p.Context(), bare(""), other)
		if err != nil {
			p.Fatal(err)
		}
		if _, err := p.Store.Send(p.Context(), owner, parley.SendRequest{ID: "m1", Session: "COtheirs", Begins: true, Channel: parley.ChannelCossistant, Content: "Hello"}); err != nil {
			p.Fatal(err)
		}
		typing := func(text string) string {
			return p.says(fmt.Sprintf(`{"type":"conversationTyping","payload":{"conversationId":"COtheirs","isTyping":true,"visitorPreview":%q}}`, text))
		}
		if said := typing("mine too"); said != "" {
			p.Errorf("a device of the same person is answered %s", said)
		}
		time.Sleep(2 * time.Minute)
		parleytest.Sweep(p, p.Store) // moves what the visitor had before it was somebody's
		p.proven(p.visitor, "u2")
		if said := typing("let me in"); !strings.Contains(said, "not_found") {
			p.Errorf("who is somebody else now is answered %s", said)
		}
		if got := fmt.Sprint(p.typed); got != "[mine too]" {
			p.Errorf("the team is told %s", got)
		}
	})
}

// TestExpired: a frame on a connection that has expired, of whose end nobody was told,
// does nothing; only the heartbeat is answered with no error.
func TestExpired(t *testing.T) {
	in(t, "", func(p *page) {
		c := bare(p.visitor)
		if _, err := p.Store.Send(p.Context(), c, parley.SendRequest{ID: "m1", Session: "COmine", Begins: true, Channel: parley.ChannelCossistant, Content: "Hello"}); err != nil {
			p.Fatal(err)
		}
		const types = `{"type":"conversationTyping","payload":{"conversationId":"COmine","isTyping":true,"visitorPreview":"in time"}}`
		if said := p.says(types); said != "" {
			p.Errorf("typing is answered %s", said)
		}
		time.Sleep(parley.ConnectionLife)
		before, meets := p.lasting(), p.meets
		for frame, want := range map[string]string{strings.Replace(types, "in time", "too late", 1): "not_found",
			`{"type":"conversationSeen","payload":{"conversationId":"COmine"}}`: "unknown_event", "{": "invalid_json", "ping": "pong", "presence:ping": "pong"} {
			if said := p.says(frame); !strings.Contains(said, want) {
				p.Errorf("%s is answered %s, want %s", frame, said, want)
			}
		}
		if got := fmt.Sprint(p.typed); got != "[in time]" || p.meets != meets {
			p.Errorf("the team is told %s, and the page met %d times more", got, p.meets-meets)
		}
		parleytest.Same(p, before, p.lasting())
	})
}

// lasting are the items of the table that do not expire.
func (p *page) lasting() map[table.Key]table.Item {
	p.Helper()
	all := parleytest.Everything(p, p.Table)
	maps.DeleteFunc(all, func(_ table.Key, item table.Item) bool { return item.Int(table.ExpiresAt) > 0 })
	return all
}

// TestMeets: pings have a connection met again that was not, for a while and no oftener
// than once in a second.
func TestMeets(t *testing.T) {
	in(t, "", func(p *page) {
		for _, at := range []struct{ second, meets int }{{1, 1}, {15, 2}, {30, 3}, {49, 4}, {51, 4}, {600, 4}} {
			time.Sleep(time.Until(p.connected.Add(time.Duration(at.second) * time.Second)))
			for range 10 {
				if said := p.says("ping"); said != "pong" {
					p.Errorf("a ping is answered %q", said)
				}
			}
			if p.meets != at.meets {
				p.Errorf("after %d s it was met %d times, want %d", at.second, p.meets, at.meets)
			}
		}
	})
}

// TestCallsOfTyping: what says that somebody types counts among a visitor's calls.
func TestCallsOfTyping(t *testing.T) {
	in(t, "", func(p *page) {
		project := parleytest.Settings()
		project.Budgets.CallsPerMinute = 60
		parleytest.Put(p, p.Store, project)
		refused := false
		for range 200 {
			for range 5 {
				refused = refused || strings.Contains(p.says(`{"type":"conversationTyping","payload":{"conversationId":"COnone","isTyping":true}}`), "calls_limit")
			}
			time.Sleep(time.Second)
		}
		if !refused {
			p.Error("1,000 frames in 200 s are no calls")
		}
	})
}

// TestStrangers: a network is told so often a minute why it is refused, whichever of its
// addresses asks, and what is remembered of networks is bounded.
func TestStrangers(t *testing.T) {
	in(t, "", func(p *page) {
		asks := func(address string) bool {
			return p.handle(p.Context(), socket.Event{Kind: socket.Connect, Ref: socket.Ref{API: "cossistant", ID: "two="}, Address: address,
				Connected: time.Now(), Query: url.Values{"publicKey": {"pk_test_unknown"}}}).Status == http.StatusOK
		}
		for n := range cossistantws.RefusalsPerMinute + 1 {
			if got, want := asks(fmt.Sprintf("2001:db8::%x", n)), n < cossistantws.RefusalsPerMinute; got != want {
				p.Fatalf("connection %d = %v, want %v", n+1, got, want)
			}
		}
		if !asks("2001:db8:0:1::1") {
			p.Error("another network pays for it")
		}
		time.Sleep(time.Minute)
		if !asks("2001:db8::1") {
			p.Error("the next minute begins with what was")
		}
		time.Sleep(time.Minute)
		for n := range 10_000 {
			if !asks(fmt.Sprintf("10.%d.%d.%d", n>>16, n>>8&255, n&255)) {
				p.Fatalf("network %d is refused", n+1)
			}
		}
		if asks("192.0.2.1") {
			p.Error("more than 10,000 networks are counted")
		}
		if !asks("10.0.0.1") {
			p.Error("a network that is known is refused with those that are not")
		}
	})
}
