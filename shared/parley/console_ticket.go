package parley

import (
	"context"
	"slices"
	"time"

	"parley/shared/socket"
	"parley/shared/table"
)

// ConsoleTicketLife is how long a ticket opens a console's socket. A browser can set
// no header on a WebSocket, so that the ticket stands in an address, where a private
// key must not. Our choice: long enough for a slow network.
const ConsoleTicketLife = time.Minute

// ConsoleTicketsPerMinute is how many tickets a private key gets in a minute from one
// process, which counts in memory. Our choice: a team that shares a key of its server's,
// after the network has come back, with a few tries each.
const ConsoleTicketsPerMinute = 300

// consoleTicket is what a ticket stands for.
type consoleTicket struct {
	Project ProjectID  `json:"project"`
	Caller  Caller     `json:"caller"`
	Key     PrivateKey `json:"key"`
}

// NewConsoleTicket returns a ticket that opens one socket of a console, once, for
// whoever has the key and acts as the caller says, and when it ends. The table has
// only its hash. calls_limit, of kind ErrLimit, if the key had too many. 1 write unit.
func (s *Store) NewConsoleTicket(ctx context.Context, c Caller, key PrivateKey) (ticket string, ends time.Time, err error) {
	if !c.staff() || c.Project != key.Project {
		return "", ends, errOperatorsOnly()
	}
	limit := callLimit{paced{project: c.Project, key: key.ID}, ConsoleTicketsPerMinute}
	if err := s.calls.take([]callLimit{limit}, s.now().UnixMicro()); err != nil {
		return "", ends, err
	}
	ticket, ends = randomText(32), s.clock().Add(ConsoleTicketLife)
	c.Address = ""
	item, err := record(consoleTicketKey(hashSecret(ticket)), "ticket", consoleTicket{c.Project, c, key},
		table.Item{"until": ends.UnixMilli(), table.ExpiresAt: ends.Unix() + 1})
	if err != nil {
		return "", ends, err
	}
	return ticket, ends, s.write(ctx, table.Put(item))
}

func errTicket() error {
	return denied("ticket_invalid", "the ticket is unknown, used or expired")
}

// UseConsoleTicket uses a ticket up and returns whose connection it opens: its Project,
// Caller and Key. ticket_invalid, of kind ErrDenied, if it is none, was used, has
// expired, or its key or operator is gone.
func (s *Store) UseConsoleTicket(ctx context.Context, ticket string) (Connection, error) {
	if ticket == "" || len(ticket) > MaxIDBytes {
		return Connection{}, errTicket()
	}
	k := consoleTicketKey(hashSecret(ticket))
	item, err := s.get(ctx, true, k)
	if err != nil {
		return Connection{}, err
	}
	now := s.clock().UnixMilli()
	if item == nil || item.Int("until") <= now {
		return Connection{}, errTicket()
	}
	var t consoleTicket
	if err := decode(item, "ticket", &t); err != nil {
		return Connection{}, err
	}
	// Only who takes it away has it. After an unknown outcome it is lost, and its
	// holder asks for another.
	if err := refusedAs(s.table.Write(ctx, table.Delete(k, table.Exists())), errTicket()); err != nil {
		return Connection{}, unavailable(err)
	}
	c := Connection{Project: t.Project, Caller: t.Caller, Key: t.Key, Ready: true}
	stands, err := s.consoleStands(ctx, c, true)
	if err == nil && !stands {
		err = errTicket()
	}
	return c, err
}

// ConsoleOf is ConnectionOf for a console's. ErrNotFound also if its key, or the
// operator who acts by it, is gone by now. Two waves, 2 read units at most.
func (s *Store) ConsoleOf(ctx context.Context, ref socket.Ref) (Connection, error) {
	c, err := s.ConnectionOf(ctx, ref)
	if err != nil {
		return c, err
	}
	stands, err := s.consoleStands(ctx, c, false)
	if err == nil && (!stands || !c.Caller.staff()) {
		err = errNoConnection()
	}
	return c, err
}

// consoleStands reports whether the key that opened a connection, and the operator who
// acts by it, are still there.
func (s *Store) consoleStands(ctx context.Context, c Connection, consistent bool) (bool, error) {
	var keys []table.Key
	for n := range keysAtATime {
		keys = append(keys, privateSlotKey(c.Project, c.Key.Operator, c.Key.Name, n))
	}
	if c.Caller.Operator != "" {
		keys = append(keys, operatorKey(c.Project, c.Caller.Operator))
	}
	items, err := s.table.Get(ctx, consistent, keys...)
	if err != nil {
		return false, unavailable(err)
	}
	if c.Caller.Operator != "" && items[keysAtATime] == nil {
		return false, nil
	}
	opened := func(slot table.Item) bool { return slot != nil && slot.String("id") == c.Key.ID }
	return slices.ContainsFunc(items[:keysAtATime], opened), nil
}
