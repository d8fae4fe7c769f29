package run_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"parley/shared/agent/agenttest"
	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/run"
	"parley/shared/table"
)

// leaving is the table of a sender who leaves between the message and the
// budget that all visitors share.
type leaving struct {
	table.Table
	stored chan struct{}
	store  func() // closes stored
	leave  context.CancelFunc
}

func (l leaving) Write(ctx context.Context, actions ...table.Action) error {
	pk := actions[0].Key.PK
	if strings.Contains(pk, "/count/") {
		<-l.stored
		l.leave()
	}
	err := l.Table.Write(ctx, actions...)
	if strings.Contains(pk, "/session/") {
		l.store()
	}
	return err
}

// TestSenderLeavesAtOnce: a message that is stored is answered, even if its
// sender left before the budgets were asked.
func TestSenderLeavesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tbl := parleytest.Table(t)
		ctx, leave := context.WithCancel(t.Context())
		parleytest.Put(t, parleytest.Store(t, parley.Config{Table: tbl}), parleytest.Settings())
		caller := parleytest.Visitor(t, parleytest.Store(t, parley.Config{Table: tbl}))
		stored := make(chan struct{})
		store := parleytest.Store(t, parley.Config{Table: leaving{tbl, stored, sync.OnceFunc(func() { close(stored) }), leave}})
		e := newEngine(t, store, agenttest.New(agenttest.Always(agenttest.Step{Delta: "a reply"})))
		sent, claim, err := e.Send(ctx, caller, parley.SendRequest{ID: "m", Channel: parley.ChannelNative, Content: "Hello?", Claim: true})
		if err != nil || ctx.Err() == nil {
			t.Fatalf("send = %v, the sender's context %v", err, ctx.Err())
		}
		err = e.Stream(ctx, sent.Ref, 0, claim, func(run.Event) error { return nil })
		session, readErr := store.Session(t.Context(), caller, sent.Session.ID)
		if readErr != nil || session.Run != nil || session.Last.Text != "a reply" {
			t.Errorf("after %v the session is %+v with %+v, %v", err, session, session.Last, readErr)
		}
	})
}
