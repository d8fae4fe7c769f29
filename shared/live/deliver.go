package live

import (
	"context"
	"errors"
	"sync"

	"parley/shared/parley"
	"parley/shared/socket"
)

// abreast is how many connections frames are sent to at a time. Our choice: a team's
// consoles are done in a few rounds, and a function has few sockets of its own open.
const abreast = 8

// Deliver sends each connection what frames makes for it, in order: to several of them
// at a time, and to each one frame after the other. It is for what is pushed and not
// stored, and for clients that can read again what they have missed: a frame that does
// not arrive stops those after it to that connection, and is nobody's error. A
// connection that is gone is taken out of the lists.
func (l *Live) Deliver(ctx context.Context, to []parley.Connection, frames func(parley.Connection) [][]byte) {
	each(to, func(_ int, c parley.Connection) { l.deliver(ctx, c, frames(c)) })
}

// each does something with the connections that take frames, with several at a time.
func each(to []parley.Connection, do func(i int, c parley.Connection)) {
	places := make(chan struct{}, abreast)
	var all sync.WaitGroup
	for i, c := range to {
		if !c.Ready || c.Refused {
			continue
		}
		places <- struct{}{}
		all.Go(func() {
			defer func() { <-places }()
			do(i, c)
		})
	}
	all.Wait()
}

func (l *Live) deliver(ctx context.Context, c parley.Connection, frames [][]byte) {
	for _, frame := range frames {
		if len(frame) == 0 {
			continue
		}
		err := l.send(ctx, c.Ref, frame)
		gone := errors.Is(err, socket.ErrGone)
		if gone {
			err = l.gone(ctx, c.Ref)
		}
		if err != nil {
			l.Log.WarnContext(ctx, "a frame was not delivered", "project", c.Project, "api", c.API, "error", err)
		}
		if gone || err != nil {
			return
		}
	}
}
