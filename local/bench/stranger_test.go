package bench

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"parley/shared/api"
	"parley/shared/parley"
	"parley/shared/parleytest"
)

// What docs/security.md reckons with: units that a stranger's calls take at most.
const (
	strangerMessage = 40  // write units of a message in a session of its own, with its reply
	strangerKB      = 2.2 // write units of each KB that a message stores besides
	strangerArrival = 3   // write units of a new visitor
	strangerPoll    = 2   // read units of a question for news
	strangerUpload  = 12  // write units of a file, to its end
	pricePut        = 0.005 / 1000
	putsOfAFile     = 2 // into the quarantine, and copied out of it
)

// measureStranger counts what the calls of somebody who only has the public key
// consume, and reckons what a day of them costs under the default bounds, without the
// tokens of models.
func measureStranger(t *tier) {
	synctest.Test(t.T, func(inner *testing.T) {
		w := newWorld(inner, parleytest.Settings())
		w.visitor() // has fetched a block of the counters

		w.meter.Reset()
		v := w.visitor()
		arrival := w.meter.Counts().WriteUnits()
		t.atMost("write units of a stranger who becomes a visitor", "%.0f", float64(arrival), strangerArrival)

		small := w.turn(v, "")
		t.atMost("write units of a stranger's message in a session of its own", "%.0f", float64(small.WriteUnits()), strangerMessage)
		message := bill{}
		message.add(small.took)
		message.consume(small)
		w.feed(&message, small)

		rest()
		long := w.message("")
		long["content"] = strings.Repeat("<", parley.MaxMessageBytes)
		large := w.send(w.visitor(), long)
		rate := float64(large.WriteUnits()-small.WriteUnits()) / (parley.MaxMessageBytes / 1024)
		t.atMost("write units of each KB of the longest message, all of it markup", "%.2f", rate, strangerKB)

		poll, _ := w.news(v, small)
		t.atMost("read units of a stranger's question for news", "%g", poll.ReadUnits(), strangerPoll)

		upload := w.upload()
		t.atMost("write units of a stranger's file", "%.0f", float64(upload), strangerUpload)

		w.refusedMessage(t)
		w.refusedPoll(t, v, small.session)

		b := parley.Budgets{}.WithDefaults()
		const hours = 24
		arrivals := hours * float64(b.IdentifyPerHour) * (float64(arrival)*priceWriteUnit + priceInvocation + shortCall.Seconds()*memoryGB*priceGBSecond)
		files := float64(b.AddressUploads) * (float64(upload)*priceWriteUnit + putsOfAFile*pricePut + 2*priceInvocation)
		stored := func(n int64) float64 { return float64(n) / 1024 * strangerKB * priceWriteUnit }
		t.atMost("dollars for a stranger's day at one address, without tokens and calls that are refused", "%.2f",
			float64(b.AddressMessages)*message.total()+stored(b.AddressBytes)+arrivals+files, 0.90)
		t.atMost("dollars for a day in which strangers use up all that a project has, likewise", "%.2f",
			float64(b.ProjectMessages)*message.total()+stored(b.ProjectBytes), 15)
	})
}

// upload is what a file takes in write units that a visitor uploads.
func (w *world) upload() int {
	store := parleytest.Store(w.t, parley.Config{Table: w.meter, Bucket: parleytest.NewBucket(w.t)})
	c := parleytest.Visitor(w.t, store)
	c.Address = "192.0.2.200"
	send := func() int {
		w.meter.Reset()
		_, err := store.PutUpload(w.t.Context(), c, "", "a.txt", "text/plain", []byte(text(questionBytes)))
		fatal(w.t, err)
		return w.meter.Counts().WriteUnits()
	}
	send()
	return send()
}

// refusedMessage sends on after a bound was reached.
func (w *world) refusedMessage(t *tier) {
	p := parleytest.Settings()
	p.ID, p.PublicKeys, p.Budgets.VisitorMessages = "few", []string{"pk_test_few"}, 1
	parleytest.Put(w.t, w.store, p)
	c := parleytest.VisitorOf(w.t, w.store, p.ID)
	say := func(n int) string {
		_, err := w.store.Send(w.t.Context(), c, parleytest.Say(parley.EntryID(fmt.Sprint("few", n)), "", "hello"))
		return parley.Code(err)
	}
	say(0)
	say(1)
	w.meter.Reset()
	const tries = 10
	for n := range tries {
		if code := say(2 + n); code != "budget_spent" {
			w.t.Fatalf("message %d: %q", n, code)
		}
	}
	got := w.meter.Counts()
	t.hold("units of a message above a bound: write; read", fmt.Sprintf("%g; %g", float64(got.WriteUnits())/tries, got.ReadUnits()/tries),
		"0; ≤ 2", got.WriteUnits() == 0 && got.ReadUnits() <= 2*tries)
}

// refusedPoll asks for news without pause.
func (w *world) refusedPoll(t *tier, v visitor, session parley.SessionID) {
	time.Sleep(time.Minute)
	const calls = 2000
	answered := 0
	for range calls {
		r := httptest.NewRequest(http.MethodGet, fmt.Sprintf("/updates/%s?after=2", session), nil)
		r.RemoteAddr = v.address
		r.Header.Set(api.KeyHeader, parleytest.Settings().PublicKeys[0])
		r.Header.Set("Authorization", "Bearer "+v.token)
		out := httptest.NewRecorder()
		w.meter.Reset()
		w.updates.ServeHTTP(out, r)
		switch out.Code {
		case http.StatusOK:
			answered++
		case http.StatusTooManyRequests:
			if n := w.meter.Counts().Calls; n > 0 {
				w.t.Fatalf("a refused question makes %d calls of the table", n)
			}
		default:
			w.t.Fatalf("%d %s", out.Code, out.Body)
		}
	}
	t.hold(fmt.Sprintf("of %d questions for news in a moment, answered; calls of the table by the others", calls),
		fmt.Sprintf("%d; 0", answered), "< 700; 0", answered < 700)
}
