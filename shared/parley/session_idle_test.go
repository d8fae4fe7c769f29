package parley_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/table"
	"parley/shared/table/meter"
)

// idling are settings by which silence is asked after and ended: after 5 minutes,
// and one more.
func idling(prompt, close int) parley.Project {
	p := generous()
	p.IdlePromptSeconds, p.IdleCloseSeconds = prompt, close
	p.Reviews.Disabled = true // they cost what they cost
	p.Texts = map[string]string{"idle_prompt": "Hello?", "idle_prompt.de": "Hallo?"}
	return p
}

// settings stores the project and begins to sweep.
func (s scene) settings(p parley.Project) {
	s.Helper()
	parleytest.Put(s, s.store, p)
	parleytest.Sweep(s, s.store)
}

// minutes lets time pass, sweeping as the schedule does.
func (s scene) minutes(n int) {
	s.Helper()
	for range n {
		await(time.Minute)
		parleytest.Sweep(s, s.store)
	}
}

// prompts counts how often the visitor was asked.
func (s scene) prompts(id parley.SessionID) (n int) {
	s.Helper()
	for _, e := range parleytest.Entries(s, s.store, s.operator(), id) {
		if e.IsMessage() && e.Author.Kind == parley.AuthorSystem && e.Text == "Hello?" && !e.Internal {
			n++
		}
	}
	return n
}

// silent fails the test unless the session has been asked after so often, and is
// in this state after so many closes.
func (s scene) silent(what string, id parley.SessionID, prompts int, state parley.State, closes int) {
	s.Helper()
	s.stands(what, id, state, closes, false)
	if got := s.prompts(id); got != prompts {
		s.Errorf("%s: asked %d times, want %d: %q", what, got, prompts, s.brief(id))
	}
}

func TestIdle(t *testing.T) {
	t.Run("asked, then closed", func(t *testing.T) { onBoth(t, idleAskedThenClosed) })
	t.Run("an answer", func(t *testing.T) { onBoth(t, idleAnswered) })
	t.Run("takeover", func(t *testing.T) { onBoth(t, idleTakeover) })
	t.Run("a visitor who says nothing", func(t *testing.T) { onBoth(t, idleNeverSpoke) })
	t.Run("a long run", func(t *testing.T) { onBolt(t, idleLongRun) })
	t.Run("a reload and a closed tab", func(t *testing.T) { onBoth(t, idleBeacon) })
	t.Run("an outage", func(t *testing.T) { onBoth(t, idleOutage) })
	t.Run("settings", func(t *testing.T) { onBolt(t, idleSettings) })
	t.Run("languages", func(t *testing.T) { onBolt(t, idleLanguages) })
	t.Run("many", func(t *testing.T) { onBolt(t, idleMany) })
	t.Run("a message in between", func(t *testing.T) { onBoth(t, idleRace) })
	t.Run("units", func(t *testing.T) { onBolt(t, idleUnits) })
}

func idleAskedThenClosed(s scene) {
	s.settings(idling(300, 60))
	id := s.turn("m").ID
	s.minutes(4)
	s.silent("after 4 minutes", id, 0, parley.StateOpen, 0)
	s.minutes(2)
	s.silent("after 6 minutes", id, 1, parley.StateOpen, 0)
	s.minutes(1)
	s.silent("after 7 minutes", id, 1, parley.StateClosed, 1)
	entries := parleytest.Entries(s, s.store, s.operator(), id)
	last := entries[len(entries)-1]
	if last.Event != parley.EventClosed || last.Reason != string(parley.CloseByIdle) || last.Close != 1 || last.Author.Kind != parley.AuthorSystem {
		s.Errorf("the last entry is %+v", last)
	}
	s.unchanged("an hour more", func() {
		before := s.table.Dump(s)[table.Key{PK: "~/sweep", SK: "-"}]
		s.minutes(60)
		if err := s.table.Write(context.Background(), table.Put(before)); err != nil {
			s.Fatal(err)
		}
	})
	s.reply(s.send(say("again", id)).Claim, "reply")
	s.silent("written to", id, 1, parley.StateOpen, 1)
	s.minutes(10)
	s.silent("silent once more", id, 2, parley.StateClosed, 2)
	s.consistent()
}

// idleAnswered: whoever answers is there, and asked again only when silent again.
func idleAnswered(s scene) {
	s.settings(idling(300, 120))
	id := s.turn("m").ID
	s.minutes(6)
	s.silent("asked", id, 1, parley.StateOpen, 0)
	s.reply(s.send(say("yes", id)).Claim, "reply")
	s.minutes(4)
	s.silent("answered", id, 1, parley.StateOpen, 0)
	s.minutes(2)
	s.silent("silent again", id, 2, parley.StateOpen, 0)
	s.minutes(2)
	s.silent("gone", id, 2, parley.StateClosed, 1)
}

func idleTakeover(s scene) {
	ctx := context.Background()
	s.settings(idling(300, 60))
	taken, waiting, late := s.turn("m").ID, s.turn("n").ID, s.turn("o").ID
	if err := s.store.TakeOver(ctx, s.operator(), taken, human("Ola")); err != nil {
		s.Fatal(err)
	}
	claim := s.send(say("human please", waiting)).Claim
	if _, err := s.store.EndRun(ctx, claim.Ref, nil, parley.End{Next: 1, Of: "human please", Status: parley.StatusDone,
		Text: "ok", Unflushed: "ok", Handover: true}); err != nil {
		s.Fatal(err)
	}
	s.minutes(6)
	if err := s.store.TakeOver(ctx, s.operator(), late, human("Ola")); err != nil {
		s.Fatal(err)
	}
	s.minutes(30)
	s.silent("a human has it", taken, 0, parley.StateOpen, 0)
	s.silent("a human was asked for", waiting, 0, parley.StateOpen, 0)
	s.silent("a human took it after the prompt", late, 1, parley.StateOpen, 0)
	for _, id := range []parley.SessionID{taken, waiting, late} {
		if err := s.store.HandBack(ctx, s.operator(), id, human("Ola")); err != nil {
			s.Fatal(err)
		}
	}
	s.minutes(4)
	s.silent("handed back", taken, 0, parley.StateOpen, 0)
	s.minutes(4)
	s.silent("silent after that", taken, 1, parley.StateClosed, 1)
	s.silent("silent after that", waiting, 1, parley.StateClosed, 1)
	s.silent("silent after that", late, 2, parley.StateClosed, 1)
}

func idleNeverSpoke(s scene) {
	s.settings(idling(300, 60))
	session, err := s.store.Begin(context.Background(), s.visitor, parley.BeginRequest{Channel: parley.ChannelNative})
	if err != nil {
		s.Fatal(err)
	}
	s.minutes(5)
	s.silent("after 5 minutes", session.ID, 0, parley.StateOpen, 0)
	s.minutes(1)
	s.silent("after 6 minutes", session.ID, 0, parley.StateClosed, 1)
	s.idleDone()
}

// idleDone fails the test if something is still due.
func (s scene) idleDone() {
	s.Helper()
	for k := range s.table.Dump(s) {
		if k.SK == "job/look" {
			s.Errorf("%v is left", k)
		}
	}
}

// idleLongRun: nobody is asked while the agent is the one who is silent.
func idleLongRun(s scene) {
	s.settings(idling(60, 60))
	claim := s.send(say("m", "")).Claim
	for n := range 10 {
		s.minutes(1)
		parleytest.Append(s, s.store, claim, fmt.Sprint(n))
	}
	s.silent("while the agent writes", claim.Ref.Session, 0, parley.StateOpen, 0)
	s.reply(claim, "the end")
	s.minutes(1)
	s.silent("after the reply", claim.Ref.Session, 1, parley.StateOpen, 0)
}

// idleBeacon: a reload closes nothing, and a tab that is closed is closed once,
// however often the page had been reloaded.
func idleBeacon(s scene) {
	s.settings(idling(300, 60))
	id := s.turn("m").ID
	for range 10 {
		await(20 * time.Second)
		s.close(id)
		await(2 * time.Second)
		if _, err := s.store.Session(context.Background(), s.visitor, id); err != nil {
			s.Fatal(err)
		}
		parleytest.Sweep(s, s.store)
	}
	s.silent("reloaded", id, 0, parley.StateOpen, 0)
	s.close(id)
	s.close(id)
	s.minutes(30)
	s.silent("the tab was closed", id, 0, parley.StateClosed, 1)
	s.idleDone()

	other := s.turn("n").ID
	await(4 * time.Minute)
	s.close(other)
	if _, err := s.store.Session(context.Background(), s.visitor, other); err != nil {
		s.Fatal(err)
	}
	s.minutes(2)
	s.silent("silent, and reloaded in between", other, 1, parley.StateOpen, 0)
	s.minutes(1)
	s.silent("silent still", other, 1, parley.StateClosed, 1)
}

// idleOutage: a sweep that was down does not take its own absence for silence
// after the prompt.
func idleOutage(s scene) {
	s.settings(idling(300, 120))
	id := s.turn("m").ID
	await(time.Hour)
	parleytest.Sweep(s, s.store)
	s.silent("after the outage", id, 1, parley.StateOpen, 0)
	s.minutes(1)
	s.silent("a minute later", id, 1, parley.StateOpen, 0)
	s.minutes(1)
	s.silent("two minutes later", id, 1, parley.StateClosed, 1)
	s.idleDone()
}

func idleSettings(s scene) {
	for i, test := range []struct {
		prompt, close, prompts int
		state                  parley.State
	}{
		{0, 0, 0, parley.StateOpen},
		{300, 0, 1, parley.StateOpen},
		{0, 300, 0, parley.StateClosed},
		{300, 300, 1, parley.StateClosed},
	} {
		s.settings(idling(test.prompt, test.close))
		id := s.turn(parley.EntryID(fmt.Sprint("m", i))).ID
		s.minutes(15)
		closes := 0
		if test.state == parley.StateClosed {
			closes = 1
		}
		s.silent(fmt.Sprintf("prompt %d, close %d", test.prompt, test.close), id, test.prompts, test.state, closes)
		s.idleDone()
	}
	for _, wrong := range []parley.Project{idling(-1, 0), idling(0, -1), idling(30*24*3600+1, 0), idling(0, 30*24*3600+1)} {
		s.want("settings out of range", s.store.PutProject(context.Background(), wrong), "invalid_field")
	}
}

func idleLanguages(s scene) {
	p := idling(300, 60)
	s.settings(p)
	r := say("m", "")
	r.Language = "de-AT"
	german := s.send(r)
	s.reply(german.Claim, "Antwort")
	s.minutes(6)
	if last := s.session(german.Session.ID).Last; last.Text != "Hallo?" || last.Kind != parley.AuthorSystem {
		s.Errorf("the newest message is %+v", last)
	}
	if got := (&parley.Project{}).Say(parley.TextIdlePrompt, "en"); got == "" {
		s.Error("there is no prompt without a project's own")
	}
}

func idleMany(s scene) {
	s.settings(idling(300, 60))
	var ids []parley.SessionID
	for n := range 250 {
		ids = append(ids, s.turn(parley.EntryID(fmt.Sprint("m", n))).ID)
		await(100 * time.Millisecond)
	}
	for n, id := range ids {
		if n%2 == 0 {
			s.reply(s.send(say(parley.EntryID(fmt.Sprint("n", n)), id)).Claim, "reply")
		}
	}
	s.minutes(5)
	for range 3 { // at once
		await(time.Minute)
		var sweeps sync.WaitGroup
		for range 3 {
			sweeps.Go(func() { parleytest.Sweep(s, s.over(s.table)) })
		}
		sweeps.Wait()
	}
	for _, id := range ids {
		s.silent("of many", id, 1, parley.StateClosed, 1)
	}
	s.idleDone()
}

// idleRace: a message that comes while the sweep is about to ask or to close wins.
func idleRace(s scene) {
	ctx := context.Background()
	for n, after := range []time.Duration{6 * time.Minute, 7 * time.Minute} {
		s.settings(idling(300, 60))
		id := s.turn(parley.EntryID(fmt.Sprint("m", n))).ID
		for passed := time.Duration(0); passed < after; passed += time.Minute {
			await(time.Minute - time.Millisecond)
			if passed+time.Minute < after { // in time for the prompt of the second
				parleytest.Sweep(s, s.store)
			}
			await(time.Millisecond)
		}
		await(time.Second)
		said := sync.OnceFunc(func() {
			s.reply(s.send(say(parley.EntryID(fmt.Sprint("just now", n)), id)).Claim, "reply")
		})
		if _, _, err := s.over(beforeWrite{s.table, said}).Look(ctx, "demo", id); err != nil {
			s.Error(err)
		}
		s.silent(fmt.Sprintf("after %v", after), id, n, parley.StateOpen, 0)
	}
}

// idleUnits pins what silence costs: nothing on the turns, and little in all.
func idleUnits(s scene) {
	s.settings(idling(300, 60))
	id := s.turn("m").ID
	m := meter.New(meter.Config{Table: s.table})
	store := s.over(m)
	var units []int
	for range 9 {
		await(time.Minute)
		m.Reset()
		parleytest.Sweep(s, store)
		units = append(units, m.Counts().WriteUnits()-1) // where the sweep has come to
	}
	// First looked at, and counted for 6; asked after 5 minutes; closed after one more.
	if want := []int{8, 0, 0, 0, 0, 7, 10, 0, 0}; !slices.Equal(units, want) {
		s.Errorf("the sweeps of an idle session write %v units, want %v", units, want)
	}
	s.silent("in the end", id, 1, parley.StateClosed, 1)
}
