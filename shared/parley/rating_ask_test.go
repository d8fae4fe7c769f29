package parley_test

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/table/meter"
)

// TestAskedToRate: a close asks for a rating if the project's policy says so, in
// the transaction that closes.
func TestAskedToRate(t *testing.T) {
	for _, test := range []struct {
		policy          parley.CSATPolicy
		channel         parley.Channel
		by              parley.AuthorKind
		rated           bool
		asks, asksAgain bool
	}{
		{"", parley.ChannelNative, parley.AuthorUser, false, false, false},
		{"", parley.ChannelOpenCX, parley.AuthorUser, false, true, true},
		{"", parley.ChannelOpenCX, parley.AuthorHuman, false, false, false},
		{parley.CSATOff, parley.ChannelOpenCX, parley.AuthorUser, false, false, false},
		{parley.CSATOnClose, parley.ChannelOpenCX, parley.AuthorHuman, false, true, true},
		{parley.CSATOnClose, parley.ChannelNative, parley.AuthorUser, false, true, true},
		{parley.CSATOnClose, parley.ChannelNative, parley.AuthorUser, true, true, true},
		{parley.CSATNotAfterIdle, parley.ChannelNative, parley.AuthorUser, false, true, true},
		{parley.CSATSkipIfRated, parley.ChannelNative, parley.AuthorUser, false, true, false},
		{parley.CSATSkipIfRated, parley.ChannelNative, parley.AuthorUser, true, false, false},
	} {
		t.Run(string(test.policy)+" "+string(test.channel)+" "+string(test.by), func(t *testing.T) {
			onBoth(t, func(s scene) {
				p := generous()
				p.CSAT = test.policy
				parleytest.Put(s, s.store, p)
				r := say("m", "")
				r.Channel = test.channel
				id := s.reply(s.send(r).Claim, "hi").Session.ID
				rate := func() {
					if test.policy != parley.CSATOff {
						s.rate(id, 4, "")
					}
				}
				if test.rated {
					rate()
				}
				resolve := func() {
					if err := s.store.Resolve(context.Background(), s.visitor, id, parley.Author{Kind: test.by}); err != nil {
						s.Fatal(err)
					}
				}
				resolve()
				if n := s.events(id, parley.EventRatingAsked); (n == 1) != test.asks || n > 1 {
					s.Errorf("asked %d times, want %v", n, test.asks)
				}
				s.unchanged("resolving again", resolve)
				rate()
				if test.channel == parley.ChannelNative {
					before := s.events(id, parley.EventRatingAsked)
					s.reply(s.send(say("m2", id)).Claim, "hi again")
					resolve()
					if again := s.events(id, parley.EventRatingAsked) > before; again != test.asksAgain {
						s.Errorf("asked again after a rating: %v, want %v", again, test.asksAgain)
					}
				}
			})
		})
	}
}

// TestRateOnce: a rating that its client names counts once, and later ones stay.
func TestRateOnce(t *testing.T) {
	onBoth(t, func(s scene) {
		id, other := s.turn("m").ID, s.turn("n").ID
		rate := func(in parley.SessionID, r parley.RateRequest) error {
			_, err := s.store.RateOnce(context.Background(), s.visitor, in, r)
			return err
		}
		first := parley.RateRequest{ID: "r1", Score: 2, Feedback: "slow"}
		s.want("first", rate(id, first), "")
		s.want("second", rate(id, parley.RateRequest{ID: "r2", Score: 5}), "")
		s.unchanged("repetitions", func() {
			s.want("the first again", rate(id, first), "")
			s.want("its id for another score", rate(id, parley.RateRequest{ID: "r1", Score: 3}), "message_id_conflict")
			s.want("its id elsewhere", rate(other, first), "message_id_conflict")
			s.want("an id that is none", rate(id, parley.RateRequest{ID: "a\x00", Score: 3}), "invalid_field")
			s.want("a message's id", rate(id, parley.RateRequest{ID: "m", Score: 3}), "message_id_conflict")
		})
		if got := s.session(id); got.Score != 5 || s.events(id, parley.EventRated) != 2 {
			s.Errorf("score %d, %d events", got.Score, s.events(id, parley.EventRated))
		}
	})
}

// TestVote: a vote amends the answer, and two at once do not both count.
func TestVote(t *testing.T) {
	onBoth(t, func(s scene) {
		id := s.turn("m").ID
		entries := parleytest.Entries(s, s.store, s.visitor, id)
		answer := entries[1].ID
		vote := func(who parley.Caller, of parley.EntryID, v parley.Vote) error {
			_, err := s.store.Vote(context.Background(), who, id, of, v)
			return err
		}
		var all sync.WaitGroup
		for range 5 {
			all.Go(func() { s.want("up", vote(s.visitor, answer, parley.VoteUp), "") })
		}
		all.Wait()
		s.want("down", vote(s.visitor, answer, parley.VoteDown), "")
		stranger := parleytest.Visitor(s, s.store)
		s.onlyPaced("votes that are none", func() {
			s.want("the same again", vote(s.visitor, answer, parley.VoteDown), "")
			s.want("one's own words", vote(s.visitor, "m", parley.VoteUp), "not_found")
			s.want("an unknown answer", vote(s.visitor, "nothing", parley.VoteUp), "not_found")
			s.want("no vote", vote(s.visitor, answer, "sideways"), "invalid_field")
			s.want("a stranger's", vote(stranger, answer, parley.VoteUp), "not_found")
		})
		entries = parleytest.Entries(s, s.store, s.visitor, id)
		if got := entries[1]; got.Vote != parley.VoteDown || got.Revision != 2 || got.Text != "an answer to m" || len(entries) != 4 || entries[3].Amends != 2 {
			s.Errorf("entries = %+v", entries)
		}
	})
}

// TestPace: nobody fills a session with votes, checkpoints and ratings, and the
// next minute all is well again.
func TestPace(t *testing.T) {
	onBoth(t, func(s scene) {
		ctx := context.Background()
		id := s.turn("m").ID
		answer := parleytest.Entries(s, s.store, s.visitor, id)[1].ID
		votes := []parley.Vote{parley.VoteUp, parley.VoteDown}
		changes := []func(int) error{
			func(i int) error { _, err := s.store.Vote(ctx, s.visitor, id, answer, votes[i/3%2]); return err },
			func(i int) error { _, err := s.store.Checkpoint(ctx, s.visitor, id, json.RawMessage(`{}`)); return err },
			func(i int) error { _, err := s.store.Rate(ctx, s.visitor, id, 1+i%5, ""); return err },
		}
		time.Sleep(time.Until(time.Now().Truncate(time.Minute).Add(time.Minute))) // a minute begins
		s.want("a first rating", changes[2](0), "")
		for i := range parley.MaxChangesPerMinute {
			s.want("change", changes[i%3](i), "")
		}
		s.unchanged("too many", func() {
			for i, change := range changes {
				s.want("one more", change(parley.MaxChangesPerMinute+i), "changes_limit")
			}
		})
		time.Sleep(time.Minute)
		for i, change := range changes {
			s.want("a minute later", change(parley.MaxChangesPerMinute+i), "")
		}
	})
}

// TestLookingForAnswers: whoever names answers that there are not is counted before
// they are looked for, and an answer is looked for among the newest entries.
func TestLookingForAnswers(t *testing.T) { onBolt(t, testLookingForAnswers) }

func testLookingForAnswers(s scene) {
	ctx := context.Background()
	id := s.turn("m").ID
	answer := parleytest.Entries(s, s.store, s.visitor, id)[1].ID
	m := meter.New(meter.Config{Table: s.table})
	metered := s.over(m)
	vote := func(answer parley.EntryID) error {
		_, err := metered.Vote(ctx, s.visitor, id, answer, parley.VoteUp)
		return err
	}
	form := func(answer parley.EntryID) error {
		_, err := metered.SubmitForm(ctx, s.visitor, parley.FormRequest{Session: id, Message: answer, Call: "1", Arguments: json.RawMessage(`{}`)})
		return err
	}
	operator := parleytest.Operator()
	for range parley.MaxBack - 1 {
		if _, err := s.store.Checkpoint(ctx, operator, id, json.RawMessage(`{}`)); err != nil {
			s.Fatal(err)
		}
	}
	s.want("the oldest answer that is looked at", vote(answer), "")
	s.want("one older", vote(answer), "not_found")
	s.want("its form", form(answer), "not_found")
	for what, look := range map[string]func(parley.EntryID) error{"vote": vote, "form": form} {
		err := error(nil)
		for range 2 * parley.MaxChangesPerMinute { // a minute may end meanwhile
			if err = look("nothing"); parley.Code(err) != "not_found" {
				break
			}
		}
		s.want(what+"s without end", err, "changes_limit")
		m.Reset()
		s.want("one more "+what, look("nothing"), "changes_limit")
		if n := m.Counts().ReadUnits(); n > 5 {
			s.Errorf("a %s too many costs %g read units", what, n)
		}
	}
}

// TestCheckpoint: a checkpoint is in the order and is the newest, whoever else
// writes at the same time.
func TestCheckpoint(t *testing.T) {
	onBoth(t, func(s scene) {
		id := s.turn("m").ID
		put := func(payload string) error {
			_, err := s.store.Checkpoint(context.Background(), s.visitor, id, json.RawMessage(payload))
			return err
		}
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() { s.want("checkpoint", put(`{"step":1}`), "") })
		}
		all.Wait()
		s.want("last", put(`{"step":"<2>"}`), "")
		s.unchanged("what is none", func() {
			s.want("a list", put(`[1]`), "invalid_field")
			s.want("nothing", put(``), "invalid_field")
			s.want("too much", put(`{"a":"`+strings.Repeat("x", parley.MaxCheckpointBytes)+`"}`), "too_large")
		})
		whole, err := s.store.FullTranscript(context.Background(), s.visitor, id, 1<<20)
		if err != nil || string(whole.About.Checkpoint) == "" || s.events(id, parley.EventCheckpoint) != 5 {
			s.Errorf("whole = %+v, %v", whole.About, err)
		}
		var got struct{ Step any }
		if err := json.Unmarshal(whole.About.Checkpoint, &got); err != nil || got.Step != "<2>" {
			s.Errorf("newest = %s, %v", whole.About.Checkpoint, err)
		}
	})
}

// TestPutUpload: a file that comes through the function goes the way of all, and
// is called what its bytes are.
func TestPutUpload(t *testing.T) {
	onBolt(t, func(s scene) {
		for _, test := range []struct{ name, called, data, want, code string }{
			{"a.png", "image/png", "\x89PNG\x0D\x0A\x1A\x0A", "image/png", ""},
			{"a.csv", "application/vnd.ms-excel", "a,b\n1,2\n", "text/csv", ""},
			{"a.xls", "", "\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1....", "application/vnd.ms-excel", ""},
			{"a.bin", "", "%PDF-1.7", "application/pdf", ""},
			{"a.png", "image/png", "<script>", "", "upload_refused"},
			{"a.svg", "image/svg+xml", "<svg/>", "", "upload_refused"},
			{"a.exe", "image/png", "MZ\x00\x01\xff", "", "upload_refused"},
			{"a/b.txt", "text/plain", "hello", "", "invalid_field"},
			{"a.txt", "text/plain", "", "", "invalid_field"},
		} {
			f, err := s.store.PutUpload(context.Background(), s.visitor, "", test.name, test.called, []byte(test.data))
			s.want(test.name, err, test.code)
			if f.Type != test.want || err == nil && (f.State != parley.FileReady || f.Size != int64(len(test.data))) {
				s.Errorf("%s called %q = %+v, want %s", test.name, test.called, f, test.want)
			}
		}
	})
}
