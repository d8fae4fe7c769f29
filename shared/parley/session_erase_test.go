package parley_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/table"
	"parley/shared/table/fault"
)

// secret is in everything that the person of these tests says and is.
const secret = "SECRET"

// rich makes a session with everything that can hold a person's data: its id,
// and the claim of the reply that is being written.
func (s scene) rich() (parley.SessionID, *parley.Claim) {
	s.Helper()
	ctx := context.Background()
	r := say("opening", "")
	r.Content, r.Page = secret, parley.Page{URL: "https://example.com/" + secret, Title: secret}
	r.Metadata = map[string]string{"name": secret}
	r.Attachments = []parley.FileID{s.upload(secret + ".txt")}
	sent := s.send(r)
	id := sent.Session.ID
	s.reply(sent.Claim, secret, " and ", secret)
	s.fail(s.send(parleytest.Say("failing", id, secret)).Claim)
	s.fail(s.send(parley.SendRequest{ID: "retry", Session: id, Retry: "failing", Claim: true}).Claim)
	s.rate(id, 5, secret)
	running := s.send(parleytest.Say("running", id, secret)).Claim
	parleytest.Append(s, s.store, running, secret)
	s.send(parleytest.Say("waiting", id, secret))
	refused := ifBusy("refused", id, parley.BusyRefuse)
	refused.Content = secret
	if _, err := s.store.Send(ctx, s.visitor, refused); parley.Code(err) != "busy" {
		s.Fatalf("send = %v", err)
	}
	for n, busy := range []parley.Busy{parley.BusyRefuse, parley.BusyQueue} { // a retry that got no run, and one that waits
		_, err := s.store.Send(ctx, s.visitor, parley.SendRequest{ID: parley.EntryID(fmt.Sprint("retry", n)), Session: id, Retry: "retry", IfBusy: busy})
		s.want("retry", err, []string{"busy", ""}[n])
	}
	s.close(id)
	return id, running
}

// erased fails the test if something of the session is left.
func (s scene) erased(when string, id parley.SessionID) {
	s.Helper()
	address := s.store.AddressHash(s.visitor)
	for k, item := range s.table.Dump(s) {
		own := k.PK == "demo/visitor/"+string(s.visitor.Visitor) || strings.HasPrefix(k.PK, "demo/count/")
		for name, value := range item {
			said := fmt.Sprint(value)
			if strings.Contains(said, secret) || !own && (strings.Contains(said, string(s.visitor.Visitor)) || strings.Contains(said, address)) {
				s.Errorf("%s: %v holds %s = %q", when, k, name, said)
			}
			if strings.Contains(said, string(id)) && (name != table.PK || k.SK != "entry~") {
				s.Errorf("%s: %v names the session in %s", when, k, name)
			}
		}
		if blank := strings.HasPrefix(k.PK, "demo/run/") || strings.HasPrefix(k.PK, "demo/session/"); blank &&
			(!item.Bool("erased") || item.Int(table.ExpiresAt) < time.Now().Add(29*24*time.Hour).Unix()) {
			s.Errorf("%s: %v is left for good: %v", when, k, item)
		}
	}
	s.noFiles(when)
	for _, key := range s.bucket.Objects(s) {
		s.Errorf("%s: the object %s is left", when, key)
	}
	s.totalsEqualRatings(when, time.Now())
	for _, op := range operations {
		if err := op.do(context.Background(), s.store, s.visitor, id); parley.Code(err) != "not_found" {
			s.Errorf("%s: %s = %v, want not_found", when, op.name, err)
		}
	}
	if list, _, err := s.store.Sessions(context.Background(), s.visitor, parley.PageRequest{}); err != nil || len(list) > 0 {
		s.Errorf("%s: Sessions = %v, %v", when, list, err)
	}
}

// TestInvariant15ErasedIsGone: erasing ends what runs and waits, removes
// everything, and nothing comes back.
func TestInvariant15ErasedIsGone(t *testing.T) {
	t.Run("everything", func(t *testing.T) { onBoth(t, eraseEverything) })
	t.Run("by an operator", func(t *testing.T) { onBolt(t, eraseByOperator) })
	t.Run("others stay", func(t *testing.T) { onBoth(t, eraseOneOfTwo) })
	t.Run("a long one", func(t *testing.T) { onBolt(t, eraseALongOne) })
	for _, l := range late {
		t.Run("late "+l.name, func(t *testing.T) { onBoth(t, func(s scene) { comesLate(s, l.prepare) }) })
	}
}

func eraseEverything(s scene) {
	ctx := context.Background()
	id, running := s.rich()
	if err := s.store.Erase(ctx, s.visitor, id); err != nil {
		s.Fatal(err)
	}
	s.erased("at once", id)
	s.unchanged("what comes late", func() {
		s.want("erase again", s.store.Erase(ctx, s.visitor, id), "not_found")
		late := parley.LogEntry{N: running.Next, By: running.Epoch, Kind: parley.LogText, At: time.Now().UnixMilli(), Text: secret}
		var standing *parley.Standing
		if err := s.store.Append(ctx, running.Ref, late); !errors.As(err, &standing) || standing.Entry.Kind != parley.LogEnd {
			s.Errorf("a late append = %v", err)
		}
		late.N-- // the same entry once more, which was there
		if err := s.store.Append(ctx, running.Ref, late); !errors.As(err, &standing) {
			s.Errorf("an append again = %v", err)
		}
		_, err := s.store.EndRun(ctx, running.Ref, nil, parley.End{Next: running.Next, Text: secret, Status: parley.StatusDone})
		s.want("a late end", err, "not_found")
		for _, old := range []parley.EntryID{"opening", "running", "waiting", "refused", "retry"} {
			for _, session := range []parley.SessionID{"", id} {
				if _, err := s.store.Send(ctx, s.visitor, parleytest.Say(old, session, secret)); err == nil {
					s.Errorf("an old send of %s to %q works", old, session)
				}
			}
		}
	})
	for range 3 {
		await(time.Minute)
		parleytest.Sweep(s, s.store)
	}
	s.erased("later", id)
	await(31 * 24 * time.Hour)
	for k, item := range s.table.Dump(s) {
		if strings.HasPrefix(k.PK, "demo/run/") || strings.HasPrefix(k.PK, "demo/session/") {
			s.Errorf("after a month %v is left: %v", k, item)
		}
	}
}

func eraseByOperator(s scene) {
	id, _ := s.rich()
	if err := s.store.Erase(context.Background(), s.operator(), id); err != nil {
		s.Fatal(err)
	}
	s.erased("by an operator", id)
}

func eraseOneOfTwo(s scene) {
	kept := s.everyKindOfEntry()
	gone := s.turn("other").ID
	s.rate(gone, 1, "")
	before := s.table.Dump(s)
	if err := s.store.Erase(context.Background(), s.visitor, gone); err != nil {
		s.Fatal(err)
	}
	for _, changed := range parleytest.Differences(before, s.table.Dump(s)) {
		if !strings.Contains(changed, string(gone)) && !strings.HasPrefix(changed, "demo/run/other ") && !strings.HasPrefix(changed, "demo/totals/") {
			s.Errorf("erasing changed %q", changed)
		}
	}
	s.inOrder(kept)
	s.totalsEqualRatings("one of two erased", time.Now())
}

func eraseALongOne(s scene) {
	id := s.turn("opening").ID
	for n := range 120 {
		sent := s.send(parleytest.Say(parley.EntryID(fmt.Sprint(n)), id, secret))
		chunks := []string{secret}
		if n == 7 { // a log of more than a page
			chunks = strings.Split(strings.Repeat(secret+" ", 150), " ")
		}
		s.reply(sent.Claim, chunks...)
		await(time.Second)
	}
	if err := s.store.Erase(context.Background(), s.visitor, id); err != nil {
		s.Fatal(err)
	}
	s.erased("a long one", id)
}

// held is a table whose writes wait until they are let go.
type held struct {
	table.Table
	until chan struct{}
}

func (h held) Write(ctx context.Context, actions ...table.Action) error {
	<-h.until
	return h.Table.Write(ctx, actions...)
}

// late are calls that are decided before a session is erased and reach the table after it.
var late = []struct {
	name    string
	prepare func(s scene, id parley.SessionID, running *parley.Claim) func(*parley.Store) error
}{
	{"message", func(s scene, id parley.SessionID, _ *parley.Claim) func(*parley.Store) error {
		return func(store *parley.Store) error {
			r := parleytest.Say("late", id, secret)
			r.Metadata = map[string]string{"late": secret}
			_, err := store.Send(context.Background(), s.visitor, r)
			return err
		}
	}},
	{"superseding message", func(s scene, id parley.SessionID, _ *parley.Claim) func(*parley.Store) error {
		return func(store *parley.Store) error {
			_, err := store.Send(context.Background(), s.visitor, ifBusy("late", id, parley.BusySupersede))
			return err
		}
	}},
	{"text", func(s scene, _ parley.SessionID, running *parley.Claim) func(*parley.Store) error {
		return func(store *parley.Store) error {
			err := store.Append(context.Background(), running.Ref, parley.LogEntry{N: running.Next, By: running.Epoch, Kind: parley.LogText, Text: secret})
			if standing := (*parley.Standing)(nil); errors.As(err, &standing) {
				return nil
			}
			return fmt.Errorf("append = %w", err)
		}
	}},
	{"reply", func(s scene, _ parley.SessionID, running *parley.Claim) func(*parley.Store) error {
		known, err := s.store.Session(context.Background(), s.visitor, running.Ref.Session)
		return func(store *parley.Store) error {
			if err != nil {
				return err
			}
			_, err := store.EndRun(context.Background(), running.Ref, known, parley.End{Next: running.Next, Text: secret, Unflushed: secret})
			if standing := (*parley.Standing)(nil); errors.As(err, &standing) {
				return nil
			}
			return err
		}
	}},
	{"close", func(s scene, id parley.SessionID, _ *parley.Claim) func(*parley.Store) error {
		s.want("session", func() error { _, err := s.store.Session(context.Background(), s.visitor, id); return err }(), "")
		return func(store *parley.Store) error { return store.Close(context.Background(), s.visitor, id) }
	}},
	{"rating", func(s scene, id parley.SessionID, _ *parley.Claim) func(*parley.Store) error {
		return func(store *parley.Store) error {
			_, err := store.Rate(context.Background(), s.visitor, id, 1, secret)
			return err
		}
	}},
	{"cancel", func(s scene, id parley.SessionID, _ *parley.Claim) func(*parley.Store) error {
		return func(store *parley.Store) error {
			_, err := store.Cancel(context.Background(), s.visitor, id, "")
			return err
		}
	}},
	{"takeover", func(s scene, id parley.SessionID, _ *parley.Claim) func(*parley.Store) error {
		return func(store *parley.Store) error {
			return store.TakeOver(context.Background(), s.operator(), id, human(secret))
		}
	}},
	{"page mark", func(s scene, id parley.SessionID, _ *parley.Claim) func(*parley.Store) error {
		_, mark, err := s.store.PeekPage(context.Background(), s.visitor, id, true)
		s.want("page mark", err, "")
		return func(store *parley.Store) error {
			return store.ChangePage(context.Background(), &mark, parley.PageChange{Set: map[string]int64{"seen": 1}})
		}
	}},
	{"erasure", func(s scene, id parley.SessionID, _ *parley.Claim) func(*parley.Store) error {
		return func(store *parley.Store) error { return store.Erase(context.Background(), s.visitor, id) }
	}},
}

func comesLate(s scene, prepare func(scene, parley.SessionID, *parley.Claim) func(*parley.Store) error) {
	id, running := s.rich()
	do := prepare(s, id, running)
	h := held{s.table, make(chan struct{})}
	result := make(chan error, 1)
	go func() { result <- do(s.over(h)) }()
	synctest.Wait() // it stands before its write
	if err := s.store.Erase(context.Background(), s.visitor, id); err != nil {
		s.Fatal(err)
	}
	s.onlyPaced("what came late", func() {
		close(h.until)
		if err := <-result; err != nil && parley.Code(err) != "not_found" {
			s.Errorf("it got %v, want not_found", err)
		}
	})
	s.erased("after it", id)
}

// TestEraseDies crashes a process before and after every call of an erasure, and
// the sweeps that finish it too.
func TestEraseDies(t *testing.T) {
	for _, kind := range []fault.Kind{fault.CrashBefore, fault.CrashAfter} {
		for call, more := 1, true; more; call++ {
			onBolt(t, func(s scene) {
				parleytest.Sweep(s, s.store)
				id, _ := s.rich()
				network := fault.NewNetwork(fault.NetworkConfig{Table: s.table})
				p := network.Process(fault.Config{Plan: map[int]fault.Kind{call: kind}})
				err := s.over(p).Erase(context.Background(), s.visitor, id)
				if more = p.Calls() >= call; more && err == nil && call > p.Calls() {
					s.Errorf("crash at call %d: Erase = %v", call, err)
				}
				if err := s.store.Erase(context.Background(), s.visitor, id); err != nil && parley.Code(err) != "not_found" {
					s.Errorf("erase again: %v", err)
				}
				for n := range 12 {
					await(time.Minute)
					sweeping := network.Process(fault.Config{Plan: map[int]fault.Kind{12 + (call+7*n)%25: kind}})
					s.over(sweeping).Sweep(context.Background(), parley.SweepHelp{Revive: nothingToRevive})
				}
				parleytest.Sweep(s, s.store)
				s.erased(fmt.Sprintf("after a crash of kind %d at call %d", kind, call), id)
			})
		}
	}
}

func nothingToRevive(context.Context, parley.RunRef) error { return nil }

// TestEraseWithoutBucket: while the bucket is not to be reached the session is
// gone for everybody, and the rest is removed as soon as it is.
func TestEraseWithoutBucket(t *testing.T) {
	onBolt(t, func(s scene) {
		parleytest.Sweep(s, s.store)
		id, _ := s.rich()
		broken := parleytest.Store(s, parley.Config{Table: s.table, Bucket: unreachable{s.bucket}})
		if err := broken.Erase(context.Background(), s.visitor, id); err != nil {
			s.Errorf("Erase = %v", err)
		}
		_, err := s.store.Session(context.Background(), s.visitor, id)
		s.want("session", err, "not_found")
		for range 3 {
			await(time.Minute)
			if swept, err := broken.Sweep(context.Background(), parley.SweepHelp{Revive: nothingToRevive}); err != nil || swept.Failed == 0 {
				s.Errorf("Sweep = %+v, %v", swept, err)
			}
		}
		if len(s.bucket.Objects(s)) == 0 {
			s.Error("the objects are gone without the bucket")
		}
		await(2 * time.Minute)
		parleytest.Sweep(s, s.store)
		s.erased("when the bucket is back", id)
	})
}

// unreachable is a bucket of which nothing can be removed.
type unreachable struct{ parley.Bucket }

func (unreachable) Delete(context.Context, ...string) error { return errors.New("no route to bucket") }

// TestEraseWhileSending erases while messages, ratings and replies come from everywhere.
func TestEraseWhileSending(t *testing.T) {
	onBoth(t, func(s scene) {
		id, _ := s.rich()
		var all sync.WaitGroup
		for n := range 3 {
			store := s.over(s.table)
			all.Go(func() {
				for i := range 2 {
					r := ifBusy(parley.EntryID(fmt.Sprint(n, ".", i)), id, parley.BusySupersede)
					r.Content = secret
					if _, err := store.Send(context.Background(), s.visitor, r); err != nil && parley.Code(err) != "not_found" {
						s.Errorf("send: %v", err)
					}
					if _, err := store.Rate(context.Background(), s.visitor, id, 1+n, secret); err != nil && parley.Code(err) != "not_found" {
						s.Errorf("rate: %v", err)
					}
				}
			})
		}
		if err := s.store.Erase(context.Background(), s.visitor, id); err != nil {
			s.Fatal(err)
		}
		all.Wait()
		s.erased("erased while others wrote", id)
	})
}
