package chathub

import (
	"bytes"
	"context"
	"errors"
	"time"

	"parley/shared/live"
	"parley/shared/parley"
	"parley/shared/signalr"
	"parley/shared/socket"
)

// settling is for how long a connection's pings are looked at: with the first of them
// its client can be sent frames. Later pings read nothing. Our choice: the client sends
// one at once, and one every 15 s.
const settling = 30 * time.Second

// frame is one frame of a client and what is answered.
type frame struct {
	*Hub
	event socket.Event
	// place is that of the record which is being answered.
	place int
	out   [][]byte
	// silent says that the frame needs no answer, over that the connection has ended,
	// and whatever the frame holds besides with it.
	silent, over bool
	// joined is the connection, once it has been looked up.
	joined *parley.Connection
}

// message answers a frame: with at least one record, because a client that hears
// nothing stops to ping and drops the connection, and with everything that is due in
// one frame.
func (h *Hub) message(ctx context.Context, e socket.Event) socket.Answer {
	h.clients.heard(e.Ref, h.Now())
	f := &frame{Hub: h, event: e}
	records, err := signalr.Read(e.Frame)
	if err != nil {
		f.end(signalr.End(explain(codeInvalid, err.Error())))
	}
	for i, r := range records {
		if f.place = i; !f.over {
			f.take(ctx, r)
		}
	}
	if len(f.out) == 0 && !f.silent {
		f.say(signalr.KeepAlive())
	}
	return f.answer(ctx)
}

func (f *frame) say(record []byte) { f.out = append(f.out, record) }

// end says the last records of the connection.
func (f *frame) end(records ...[]byte) {
	f.out, f.over = append(f.out, records...), true
}

// answer returns what was said. What ends the connection is posted, because nothing
// could end it after it was returned; where that fails the client still closes its
// side when it reads it.
func (f *frame) answer(ctx context.Context) socket.Answer {
	all := bytes.Join(f.out, nil)
	if !f.over || f.silent {
		return socket.Answer{Frame: all}
	}
	if err := f.Sockets.Post(ctx, f.event.Ref, all); err != nil && !errors.Is(err, socket.ErrGone) {
		return socket.Answer{Frame: all}
	}
	if err := f.Sockets.Close(ctx, f.event.Ref); err != nil {
		f.log(ctx, "close", err) // the client has been told
	}
	return socket.Answer{}
}

// take answers one record.
func (f *frame) take(ctx context.Context, r signalr.Record) {
	switch r.Type {
	case signalr.Handshake:
		f.shake(r)
	case signalr.Ping:
		f.settle(ctx)
	case signalr.Invocation:
		f.invoke(ctx, r)
	case signalr.StreamInvocation:
		f.say(signalr.Fail(r.ID, explain(codeUnknownMethod, "the hub streams no results")))
	case signalr.Close:
		f.leave(ctx)
	}
}

// shake answers a handshake. Nothing is read or written for it.
func (f *frame) shake(r signalr.Record) {
	if r.Protocol != "json" || r.Version < 1 || r.Version > 2 {
		f.end(signalr.Refuse(explain(codeInvalid, "the hub speaks the protocol json, versions 1 and 2")))
		return
	}
	f.say(signalr.Accept())
}

// settle has a connection become one that frames are sent to, with its first ping. A
// table that cannot be reached is no reason to end it: a ping or a call comes again.
func (f *frame) settle(ctx context.Context) {
	if f.Now().Sub(f.event.Connected) >= settling || !f.calls.Take(f.event.Ref, f.Now()) {
		return
	}
	if _, err := f.join(ctx); err != nil {
		f.fail(ctx, signalr.Record{}, err)
	}
}

// leave notes that the client ends the connection on purpose.
func (f *frame) leave(ctx context.Context) {
	f.silent, f.over = len(f.out) == 0, true
	if err := f.API.Store.Disconnect(ctx, f.event.Ref, true); err != nil {
		f.log(ctx, "leave", err)
	}
}

// errUnknown is of a connection that is not known any more: it has expired, or its
// session was erased.
var errUnknown = errors.New("the connection is not known")

// join returns the frame's connection, which frames may be sent to from then on.
func (f *frame) join(ctx context.Context) (parley.Connection, error) {
	if f.joined != nil {
		return *f.joined, nil
	}
	c, err := f.API.Store.ConnectionOf(ctx, f.event.Ref)
	if errors.Is(err, parley.ErrNotFound) {
		return c, errUnknown
	}
	if err != nil {
		return c, err
	}
	c.Caller.Project, c.Caller.Address = c.Project, f.event.Address
	if !c.Ready {
		if err := f.attach(ctx, &c); err != nil {
			return c, err
		}
	}
	f.joined = &c
	return c, nil
}

// attach makes the connection the one to which everything of its session goes, and
// says what had to wait for that.
func (f *frame) attach(ctx context.Context, c *parley.Connection) error {
	was, err := f.API.Store.Attach(ctx, *c)
	if parley.Code(err) == "session_connected" {
		if c.Token == "" {
			return nil // the client named the session, and has come back to it meanwhile
		}
		// This frame may be late, and its client on that connection: nobody is given a
		// session here, which would be the newest.
		if _, err := f.Sockets.Active(ctx, c.Ref); errors.Is(err, socket.ErrGone) {
			return errUnknown
		}
		// It may be an earlier connection of this client, which has broken off meanwhile.
		if *c, err = f.resumed(ctx, *c); err == nil {
			was, err = f.API.Store.Attach(ctx, *c)
		}
		if parley.Code(err) == "session_connected" {
			c.Session, c.Begun, c.After = freshSession(), false, socket.Ref{}
			was, err = f.API.Store.Attach(ctx, *c)
		}
	}
	switch {
	case errors.Is(err, parley.ErrNotFound):
		return errUnknown
	case err != nil:
		return err
	case was.Connection == c.Ref:
		return nil // another frame was faster
	}
	for _, code := range c.Faults {
		f.say(raise(code, texts[code]))
	}
	if c.Begun {
		f.noteHeard(ctx, *c, was)
		f.resume(ctx, *c)
	}
	return nil
}

// noteHeard notes when the client was last heard on the connection before, if anybody
// knows: what it was given after that it may have lost.
func (f *frame) noteHeard(ctx context.Context, c parley.Connection, was parley.Line) {
	var heard time.Time
	err := socket.ErrGone
	if before, there := was.Current(); there {
		heard, err = f.Sockets.Active(ctx, before)
	}
	if errors.Is(err, socket.ErrGone) {
		heard, err = f.clients.last(was.Connection), nil
	}
	if err == nil && !heard.IsZero() {
		err = f.API.Store.NoteHeard(ctx, c, was, heard.Add(-live.Unsure))
	}
	if err != nil {
		f.log(ctx, "heard", err) // more is given again then
	}
}

// resume has a client that has come back given what it has missed. If nothing is being
// written, it may have missed that nothing is any more.
func (f *frame) resume(ctx context.Context, c parley.Connection) {
	session, err := f.API.Store.Session(ctx, c.Caller, c.Session)
	if err == nil && session.Run == nil {
		f.say(live.ChatHub{}.Typing(false))
	}
	if err == nil {
		err = f.Wake(ctx, c.Project, c.Session)
	}
	if err != nil {
		f.log(ctx, "resume", err) // what comes next wakes it again
	}
}
