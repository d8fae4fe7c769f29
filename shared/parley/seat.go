package parley

import (
	"context"
	"math/rand/v2"
	"strconv"
	"time"

	"parley/shared/table"
)

// An answer that is kept open occupies a concurrent execution of Lambda's, of which
// an account has few, whether or not its reader is still there. So whoever waits for
// something that another process does needs a seat, and there are few of them: of
// one reader and of one address. A request that generates a reply needs none, for
// what it may spend is bounded already (budget.go), nor does one that finds at once
// what it asked for.
//
// The seats of a reader are one item, and those of an address another, or of IPv6 two
// (budget_address.go), with an attribute for each seat that is taken: the time until
// which it is. Taking one is a single conditional write, and so is leaving it. A process
// that dies leaves none; its seats are free when their time has passed.

// Seats is how many answers may be kept open at once, by all processes together.
type Seats struct {
	// Reader is for one reader: a contact with all its browsers, or a visitor. Zero
	// means ReaderSeats.
	Reader int
	// Address is for one network address, whoever reads there; a /48 of IPv6 has eight
	// times as many. Zero means AddressSeats.
	Address int
}

const (
	// ReaderSeats are the seats of one reader. Our choice: for the tabs of a browser,
	// and for what a page that was loaded anew has left behind.
	ReaderSeats = 4
	// AddressSeats are the seats of one address. Our choice: few beside the 1,000
	// executions of an account, and enough for an office.
	AddressSeats = 32
	// SeatLife is how long one may keep a seat. Our choice: longer than most replies
	// take, and short enough for the seats of a process that died.
	SeatLife = time.Minute
)

// Seat is the right to keep an answer open for SeatLife. Leave it.
type Seat struct {
	store  *Store
	until  int64 // milliseconds
	places []seatPlace
}

// seatPlace is a seat among those of one item.
type seatPlace struct {
	key  table.Key
	name string
}

// Seating takes a seat for somebody: Store.TakeSeat for one caller.
type Seating func(context.Context) (*Seat, error)

// SeatingOf returns a caller's Seating.
func (s *Store) SeatingOf(c Caller) Seating {
	return func(ctx context.Context) (*Seat, error) { return s.TakeSeat(ctx, c) }
}

// TakeSeat takes a seat for SeatLife. readers_limit, of kind ErrLimit, if all are
// taken: then the caller is to be told what there is, and to come back. Who has a
// private key needs none, and gets one that nobody counts.
func (s *Store) TakeSeat(ctx context.Context, c Caller) (*Seat, error) {
	now := s.clock()
	seat := &Seat{store: s, until: now.Add(SeatLife).UnixMilli()}
	if c.staff() {
		return seat, nil
	}
	if err := seat.take(ctx, readerSeatsKey(c), s.seats.Reader, now.UnixMilli()); err != nil {
		return nil, err
	}
	// Only now: whoever has many answers open already costs one refused write.
	for _, n := range limitsOf(s.AddressHash(c)) {
		key, many := seatsKey(c.Project, "address", n.subject), int(n.times)*s.seats.Address
		if err := seat.take(ctx, key, many, now.UnixMilli()); err != nil {
			seat.Leave(ctx)
			return nil, err
		}
	}
	return seat, nil
}

// readerSeatsKey is the item with the seats of a reader. An e-mail address that
// nobody signed for is anybody's, so there it is the browser that counts. Who holds
// the id of a session takes no seat of those who hold it in another dialect.
func readerSeatsKey(c Caller) table.Key {
	if c.proven() {
		return seatsKey(c.Project, "contact", string(c.Contact))
	}
	if c.Capability {
		return seatsKey(c.Project, string(c.Channel), string(c.Visitor))
	}
	return seatsKey(c.Project, "visitor", string(c.Visitor))
}

// seatTries bounds how often a place is tried that another took meanwhile.
const seatTries = 4

// take takes one of many places. After an unknown outcome the place counts as
// another's: one that was taken for nobody is free after its time.
func (t *Seat) take(ctx context.Context, key table.Key, many int, now int64) error {
	at := rand.N(many) // seldom another's choice
	for range seatTries {
		name := seatName(at)
		up := table.Set(key, table.Item{name: t.until, table.ExpiresAt: t.until/1000 + 3600}, table.AtMost(name, now))
		err := retry(ctx, func() error { return t.store.table.Write(ctx, up) })
		if err == nil {
			t.places = append(t.places, seatPlace{key, name})
			return nil
		}
		item, refused := standing(err, 0)
		if !refused {
			return unavailable(err)
		}
		if at = freePlace(item, many, now); at < 0 {
			break
		}
	}
	return &Error{Kind: ErrLimit, Code: "readers_limit", RetryAfter: time.Second,
		Text: "too many answers are kept open; come back"}
}

// freePlace returns a place that an item shows as free, any of them; -1 if there
// is none.
func freePlace(item table.Item, many int, now int64) int {
	first := rand.N(many)
	for n := range many {
		if at := (first + n) % many; item.Int(seatName(at)) <= now {
			return at
		}
	}
	return -1
}

func seatName(at int) string { return "s" + strconv.Itoa(at) }

// leaveTime bounds the time for leaving a seat, which its reader is not asked about.
const leaveTime = time.Second

// Leave gives the seat back. If that cannot be done it is free when its life is over.
func (t *Seat) Leave(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveTime)
	defer cancel()
	for _, p := range t.places {
		// After its time it may be another's, who then has it until a later one.
		up := table.Update(p.key, table.Equal(p.name, t.until))
		up.Remove = []string{p.name}
		_ = t.store.table.Write(ctx, up)
	}
	t.places = nil
}
