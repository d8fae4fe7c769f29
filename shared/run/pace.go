package run

import (
	"slices"
	"time"

	"parley/shared/parley"
)

// The log takes text in flushes, so a reader who is given all of a flush at once
// sees a reply in jerks. Instead each reader gets what a flush made durable in
// pieces, until the next one is due. What is behind that stays as it is: the log,
// and what a resumed reader is given.

// piece is a part of a reply, and when it is due.
type piece struct {
	upto int // bytes of the reply up to its end
	// at is of the real clock, as a reader is paced by a timer.
	at time.Time
}

// pieceGap is the least time between deltas that become pieces of their own. Our
// choice: hardly more than a picture of a screen, and at most 40 events a second.
const pieceGap = 25 * time.Millisecond

// writeTime is how long a flush takes from when it is due until it is durable. Our
// choice: twice what it usually takes.
const writeTime = 20 * time.Millisecond

// maxStretch is how much slower than the model said it a flush is passed on at
// most. Our choice: hardly seen.
const maxStretch = 1.15

// inRhythm returns the pieces of a flush that is durable from now on, of which came
// tells when the model said them: the first now, and the others in the model's
// rhythm, so much slower or quicker that the next flush follows in it, but none
// later than that one is due.
func inRhythm(came []piece, now time.Time, flush time.Duration) []piece {
	n := len(came)
	tempo := maxStretch
	if n > 1 {
		said := came[n-1].at.Sub(came[0].at)
		tempo = min(tempo, float64(flush+writeTime)/float64(said)*float64(n-1)/float64(n))
	}
	pieces := make([]piece, n)
	for i, c := range came {
		after := time.Duration(tempo * float64(c.at.Sub(came[0].at)))
		pieces[i] = piece{c.upto, now.Add(min(after, flush))}
	}
	return pieces
}

// Pieces of text whose rhythm is not known. Our choice: what models usually take
// for a token.
const (
	evenTime  = 50 * time.Millisecond
	evenBytes = 3 // at least: a letter, or half a token
)

// pieces cuts the text of an entry that a poll, which took so long, has just brought.
// When the model said what is not known, so the pieces are even. They last until the
// poll that should bring the next text; if that is due already, all come at once, as
// does the first text of a reply.
func (d *delivery) pieces(l parley.LogEntry, took time.Duration) []piece {
	if l.Kind != parley.LogText {
		return nil
	}
	first := d.log[slices.IndexFunc(d.log, func(l parley.LogEntry) bool { return l.Kind == parley.LogText })]
	flush := d.Flush(time.Duration(l.At-first.At) * time.Millisecond)
	due := min(flush-parley.SilentFor(d.Now(), l.At), flush) // clocks may differ
	if l.N == first.N {
		return nil
	}
	var over time.Duration // the write of this entry took its time too
	for pause := d.PollMin; over < due+2*writeTime; pause = d.longer(pause) {
		over += pause + took
	}
	return evenly(l.Text, d.at+len(l.Text), over)
}

// evenly returns the pieces of a text up to there in the reply, the first now and
// the others over so much time.
func evenly(text string, upto int, over time.Duration) []piece {
	n := min(int((over+evenTime/2)/evenTime), len(text)/evenBytes)
	now, pieces := time.Now(), make([]piece, n)
	for i := range pieces {
		pieces[i] = piece{upto - len(text) + (i+1)*len(text)/n, now.Add(time.Duration(i) * over / time.Duration(n))}
	}
	return pieces
}

// pacer passes the events of a run on to one reader, and text in pieces. It is
// for one goroutine.
type pacer struct {
	pass func(Event) error
	// held is durable text that the reader does not have yet.
	held Event
	// timer fires when the next piece is due.
	timer *time.Timer
}

func newPacer(pass func(Event) error) *pacer {
	p := &pacer{pass: pass, timer: time.NewTimer(0)}
	p.timer.Stop()
	return p
}

// take passes on what is held, and of ev what is due.
func (p *pacer) take(ev Event) error {
	if err := p.passAll(); err != nil {
		return err
	}
	p.held = ev
	return p.passDue()
}

// passAll passes on what is held.
func (p *pacer) passAll() error {
	ev := p.held
	p.held = Event{}
	p.timer.Stop()
	if ev.Text == "" && ev.End == nil {
		return nil
	}
	return p.pass(ev)
}

// passDue passes on the pieces that are due, cut between code points.
func (p *pacer) passDue() error {
	now, upto := time.Now(), 0
	for len(p.held.pieces) > 0 && !p.held.pieces[0].at.After(now) {
		upto, p.held.pieces = p.held.pieces[0].upto, p.held.pieces[1:]
	}
	if len(p.held.pieces) == 0 {
		return p.passAll()
	}
	p.timer.Reset(p.held.pieces[0].at.Sub(now))
	begin := p.held.Upto - len(p.held.Text)
	n := cutAt(p.held.Text, max(upto-begin, 0))
	if n == 0 {
		return nil
	}
	text := p.held.Text[:n]
	p.held.Text = p.held.Text[n:]
	return p.pass(Event{Text: text, Upto: begin + n, With: p.held.With})
}
