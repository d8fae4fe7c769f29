// Package parley is the domain: projects, visitors, contacts, sessions, their
// entries and runs, and the rules that bind them. It knows no HTTP, no AWS and
// no widget. It reaches its table through package table, attachment bytes
// through Bucket, and secrets through Config.Derive.
//
// Every operation on a session takes the Caller, checks the project and then
// the owner, and answers ErrNotFound for what is foreign and what is unknown
// alike. An operation that returns an error has changed nothing, except where
// the error is ErrUnavailable: then it may have, and the same call, with the same
// client id, may be made again.
//
// # Where things are
//
// Files are named by their subject first:
//
//	parley.go, error.go, id.go       the Store, kinds of error, ids
//	keys.go, table_*.go              every key of the table; reading and writing it
//	project*.go, private_key.go      a project's settings, texts, modes and keys
//	visitor.go, contact*.go          who writes, and whether somebody vouches for it
//	visitor_bare.go, _said, _track, _kept  visitors known by their id alone, and what they say
//	hint.go                          what pages say beside, which refuses no message
//	challenge.go                     what it costs a stranger to become a visitor
//	operator.go                      a project's people
//	session.go                       a session's item, which every change replaces
//	session_door.go                  who may touch a session: the one rule
//	session_life.go                  closing, resolving, reopening, takeover, silence
//	session_change.go                one transaction on a session
//	session_look.go, sweep.go        what becomes due
//	session_list.go, _filter, _inbox  lists of sessions; page.go: pages of lists
//	session_begin.go                 a session that begins without a message
//	session_attributes.go, _checkpoint  what is known of it besides what was said
//	session_mark.go, _participants   how far who has seen it; who takes part
//	session_number.go                its number for people
//	session_typing.go                who of the team types
//	session_page.go                  what a dialect notes of a page
//	connection.go, _page, line.go    who is connected; what a client has been given
//	session_erase.go                 erasing
//	send*.go                         a visitor's message, from request to transaction
//	greeting.go                      what the page had shown before the first one
//	console_ticket.go                who may open the socket of a console
//	operator_reply.go                an operator's message
//	entry*.go                        what has a place in a session's order; reading it
//	transcript*.go                   what readers are shown of it
//	run_log.go, _read, _end, _watch  the log of one reply, how it ends, who is told at once
//	action*.go                       calls that an agent has made
//	file*.go, bucket.go              attachments; file_name.go: how they may be called
//	feedback.go                      what visitors think besides
//	rating*.go, review.go, figures.go  what became of sessions
//	follow.go, hook*.go              who does something for what happens: webhooks, reviews
//	notify*.go                       telling people that somebody waits
//	reply_mail*.go                   a person's answer by mail, and its link
//	seat.go                          who may keep an answer open, and how many
//	budget.go, budget_counter.go     bounds that visitors share, by address and project
//	budget_spending.go               what one visitor may store, send and spend
//	budget_address.go                what counts as one address
//	budget_rates.go                  rates of calls, changes and uploads
//
// A turn in calls: Send stores the message and a run (send.go), package run claims
// it and appends to its log (run_log.go), EndRun stores the reply (run_end.go).
package parley

import (
	"cmp"
	"crypto/rand"
	"errors"
	"math/big"
	"time"

	"parley/shared/table"
)

// Config is what a Store needs.
type Config struct {
	// Table is required.
	Table table.Table
	// Bucket is required by the operations on attachments only.
	Bucket Bucket
	// Derive returns a keyed hash of its arguments: 32 bytes that nobody without
	// the deployment's master secret can make. Required. Label separates uses.
	Derive func(label string, parts ...string) []byte
	// DerivePrevious returns what Derive returned before the rotation of the
	// master that is under way, nil if none is. Nil means that there never is one.
	DerivePrevious func(label string, parts ...string) []byte
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// NewID returns a fresh unguessable id of letters and digits; nil means 22
	// random ones (130 bits).
	NewID func() string
	// ProjectLife is how long a project's settings are kept in memory; zero
	// means 30 s, negative not at all.
	ProjectLife time.Duration
	// Seats is how many answers may be kept open.
	Seats Seats
	// Near is told of bounds of a day that are nearly used up: once for each bound, day
	// and Store. Nil means that nobody is.
	Near func(Near)
}

// Store reads and changes what the table holds. It is safe for concurrent use.
type Store struct {
	table    table.Table
	bucket   Bucket
	derive   func(label string, parts ...string) []byte
	previous func(label string, parts ...string) []byte
	now      func() time.Time
	newID    func() string
	projects *projectCache
	counters *counters
	seats    Seats
	calls    callPace
	refusals refusals
	watchers endWatchers
}

// New returns a Store.
func New(c Config) (*Store, error) {
	if c.Table == nil || c.Derive == nil {
		return nil, errors.New("parley: Table and Derive are required")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.NewID == nil {
		c.NewID = randomID
	}
	if c.DerivePrevious == nil {
		c.DerivePrevious = func(string, ...string) []byte { return nil }
	}
	s := &Store{table: c.Table, bucket: c.Bucket, derive: c.Derive, previous: c.DerivePrevious, now: c.Now, newID: c.NewID}
	s.projects = &projectCache{life: cmp.Or(c.ProjectLife, 30*time.Second), now: c.Now}
	s.seats = Seats{Reader: cmp.Or(c.Seats.Reader, ReaderSeats), Address: cmp.Or(c.Seats.Address, AddressSeats)}
	s.counters = newCounters(c.Table, c.Now, func(k counter, what string) {
		if c.Near != nil {
			c.Near(Near{k.project, k.name, what})
		}
	})
	return s, nil
}

const idAlphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// base62 writes the bytes as digits and letters, at most n of them.
func base62(b []byte, n int) string { return string(digitsOf(b, idAlphabet, n)) }

// digitsOf writes the bytes as n digits of an alphabet, the lowest first.
func digitsOf(b []byte, alphabet string, n int) []byte {
	v, base, digit := new(big.Int).SetBytes(b), big.NewInt(int64(len(alphabet))), new(big.Int)
	out := make([]byte, n)
	for i := range out {
		v.DivMod(v, base, digit)
		out[i] = alphabet[digit.Int64()]
	}
	return out
}

// randomText returns n random letters and digits.
func randomText(n int) string {
	b := make([]byte, 32)
	rand.Read(b)
	return base62(b, n)
}

// randomID has 130 bits, so that ids which are capabilities cannot be guessed.
func randomID() string { return randomText(22) }

// clock returns the time in UTC and whole milliseconds, the resolution in
// which times are stored.
func (s *Store) clock() time.Time { return s.now().UTC().Truncate(time.Millisecond) }
