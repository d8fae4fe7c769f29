package parley

import (
	"cmp"
	"context"
	"time"

	"parley/shared/socket"
	"parley/shared/table"
)

// Connection is a live WebSocket of one page. Nothing of it can be asked of the
// client again, so what the request said that made it is kept until it ends. It is
// found by its Ref, and by whose it is: a visitor, or the team of a project. Where it
// belongs to a session it is found by that too.
//
// That a connection has ended may be told late or never. So each expires, and whoever
// finds one has to expect that a frame to it does not arrive.
type Connection struct {
	socket.Ref
	Project ProjectID `json:"project"`
	// Channel is the dialect of a visitor's page, "" for an operator's console.
	Channel Channel `json:"channel,omitempty"`
	// Caller is the visitor, or the operator. Its Address is not kept.
	Caller Caller `json:"caller,omitzero"`
	// Key is the private key that opened a console's connection, without its secret: who
	// has it no more is told nothing more.
	Key PrivateKey `json:"key,omitzero"`
	// Session is the one that the connection is for, where its dialect gives each
	// connection one, and the one that a console looks at. It may not have begun.
	Session SessionID `json:"-"`
	// Agent, Language and Metadata are for the session that begins with the first
	// message on the connection.
	Agent    AgentID           `json:"agent,omitempty"`
	Language string            `json:"language,omitempty"`
	Metadata map[string]string `json:"metadata,omitempty"`
	// Begun says that Session has begun, as far as is known: see SendRequest.On.
	Begun bool `json:"-"`
	// Faults are codes of what the request said that could not be used, which the
	// client is told once it can be told anything.
	Faults []string `json:"faults,omitempty"`
	// Token is TokenHash's, "" where clients always name their sessions.
	Token string `json:"token,omitempty"`
	// After is the connection that this one goes on from, where the client did not
	// name its session and Newest did. Attach then takes the session from no other.
	After socket.Ref `json:"after,omitzero"`
	// Ready says that frames may be sent: see Attach. Of dialects whose clients take
	// frames at once it is set from the beginning.
	Ready bool `json:"-"`
	// Refused connections are made only to tell the client why. They are in no list.
	Refused bool `json:"refused,omitempty"`
	// Connected is when the connection was made, Expires when it has ended whatever
	// anybody says.
	Connected time.Time `json:"connected"`
	Expires   time.Time `json:"expires"`
}

// ConnectionLife is how long a connection is known: as long as one may live, and
// a margin for clocks that differ.
const ConnectionLife = socket.MaxLife + 5*time.Minute

// Limits of connections.
const (
	// MaxConnectionBytes is the longest Connection, in bytes as it is stored: what an
	// address can say, of which API Gateway takes 4,096 characters, and who says it.
	MaxConnectionBytes = 8 << 10
	// MaxConnections is how many connections are listed of one visitor, session or
	// team; who has more is told of nothing on the others. Our choice: a team of some
	// dozens with a few windows each.
	MaxConnections = 200
	// ConnectsPerMinute is how many connections an address may make in a minute; see
	// budget_address.go. Our choice: an office whose network has come back connects at
	// once, and clients try again.
	ConnectsPerMinute = 120
	// MaxBareConnectsPerDay is how many connections of bare visitors an address may make
	// in a day; see budget_address.go. Our choice: an office of a hundred people with a
	// hundred pages each. Pages above it do without.
	MaxBareConnectsPerDay = 10_000
)

// leftFor is how long it is known which session a connection had that has ended: that
// its client left on purpose may be told after that. Our choice.
const leftFor = time.Minute

// standsFor reports whether somebody is still at the connection at a time.
func (c Connection) standsFor(now time.Time) bool { return now.Before(c.Expires) }

// item is the connection under its own id.
func (c Connection) item(now time.Time) (table.Item, error) {
	return c.itemAt(connectionKey(c.Ref), now)
}

// row is the connection as the lists have it: whose it is and where, and not what its
// request said besides.
func (c Connection) row(partition string, now time.Time) (table.Item, error) {
	c.Agent, c.Language, c.Metadata, c.Token, c.After, c.Faults, c.Begun = "", "", nil, "", socket.Ref{}, nil, false
	return c.itemAt(connectedKey(partition, c.Ref), now)
}

func (c Connection) itemAt(k table.Key, now time.Time) (table.Item, error) {
	item, err := record(k, "connection", c, table.Item{"session": string(c.Session), table.ExpiresAt: now.Add(ConnectionLife).Unix()})
	if err != nil {
		return nil, err
	}
	if len(item.String("data")) > MaxConnectionBytes {
		return nil, tooLarge("connection", MaxConnectionBytes)
	}
	for name, set := range map[string]bool{"ready": c.Ready, "begun": c.Begun} {
		if set {
			item[name] = true
		}
	}
	return item, nil
}

func connectionFrom(item table.Item) (Connection, error) {
	var c Connection
	err := decode(item, "connection", &c)
	c.Session, c.Ready, c.Begun = SessionID(item.String("session")), item.Bool("ready"), item.Bool("begun")
	return c, err
}

// partition is where the connection is listed by whose it is; "" for one that is not.
func (c Connection) partition() string {
	switch {
	case c.Refused:
		return ""
	case c.Caller.staff():
		return teamPK(c.Project)
	case c.Caller.Visitor != "":
		return visitorKey(c.Project, c.Caller.Visitor).PK
	}
	return ""
}

// TokenHash is Connection.Token for a token: identity is what tells its bearer apart,
// its jti or else its sub.
func (s *Store) TokenHash(p ProjectID, a AgentID, identity string) string {
	return base62(s.derive("resume", string(p), string(a), identity), 22)
}

// Connect stores a connection; one that is known already stays as it is. It does not
// ask whether the caller's token stands. Connected and Expires are set where they are
// zero. Errors: invalid_field, too_large, connects_limit and connects_day_limit of kind
// ErrLimit. 4 write units, in one transaction, and seldom one for the address.
func (s *Store) Connect(ctx context.Context, c Connection) error {
	if err := c.check(); err != nil {
		return err
	}
	now := s.clock()
	if c.Connected.IsZero() || c.Connected.After(now) {
		c.Connected = now
	}
	c.Connected = c.Connected.UTC().Truncate(time.Millisecond)
	c.Expires = c.Connected.Add(ConnectionLife)
	item, err := c.item(now)
	if err != nil {
		return err
	}
	item["nonce"] = s.newID()
	actions := []table.Action{table.Put(item, table.Absent())}
	if in := c.partition(); in != "" {
		row, err := c.row(in, now)
		if err != nil {
			return err
		}
		actions = append(actions, table.Put(row))
	}
	if !c.Caller.staff() {
		caller := c.Caller
		caller.Project = c.Project
		if _, err := s.takeOfAddress(ctx, caller, "connects", time.Minute, callsOf(1), callsOf(ConnectsPerMinute)); err != nil {
			return err
		}
		if c.Caller.Bare {
			if _, err := s.takeOfAddress(ctx, caller, "connects_day", 24*time.Hour, callsOf(1), callsOf(MaxBareConnectsPerDay)); err != nil {
				return err
			}
		}
	}
	return unrefused(s.write(ctx, actions...))
}

func checkRef(r socket.Ref) error {
	return cmp.Or(CheckID("connection", r.API), CheckID("connection", r.ID))
}

func (c Connection) check() error {
	if err := checkRef(c.Ref); err != nil {
		return err
	}
	if c.Project == "" {
		return invalid("connection", "a connection is to a project")
	}
	return cmp.Or(checkAnyID("session", string(c.Session)), checkLength("language", c.Language, MaxLanguageBytes),
		checkPairs("metadata", c.Metadata))
}

func errNoConnection() error { return notFound("connection") }

// ConnectionOf returns a connection; ErrNotFound for one that is unknown, has ended or
// has expired. What was changed just now may be missing in it. Half a read unit, and
// one more where there seems to be none: it may have been made just now.
func (s *Store) ConnectionOf(ctx context.Context, ref socket.Ref) (Connection, error) {
	if checkRef(ref) != nil {
		return Connection{}, errNoConnection()
	}
	item, err := s.get(ctx, false, connectionKey(ref))
	if err == nil && item == nil {
		item, err = s.get(ctx, true, connectionKey(ref))
	}
	if err != nil {
		return Connection{}, err
	}
	return s.liveFrom(item)
}

func (s *Store) liveFrom(item table.Item) (Connection, error) {
	if item == nil || item.Bool("left") {
		return Connection{}, errNoConnection()
	}
	c, err := connectionFrom(item)
	if err == nil && !c.standsFor(s.clock()) {
		err = errNoConnection()
	}
	return c, err
}

// Disconnect says that a connection has ended; meant, that its client said so before.
// It takes away what there is of this connection and of no other, and may be called
// late, twice, and for what is unknown. It may be told for a minute longer that the
// end was meant. 3 write units, 2 where the connection has no Line.
func (s *Store) Disconnect(ctx context.Context, ref socket.Ref, meant bool) error {
	if checkRef(ref) != nil {
		return nil
	}
	item, err := s.get(ctx, true, connectionKey(ref))
	if err != nil || item == nil {
		return err
	}
	c, err := connectionFrom(item)
	if err != nil {
		return err
	}
	gone := item.Bool("left")
	if gone && !meant {
		return nil
	}
	if c.Session != "" && !c.Caller.staff() {
		if err := s.leaveLine(ctx, c, meant); err != nil || gone {
			return err
		}
	}
	return s.forgetConnection(ctx, c)
}

// forgetConnection takes a connection out of the lists and leaves, for leftFor, which
// session it had.
func (s *Store) forgetConnection(ctx context.Context, c Connection) error {
	if in := c.partition(); in != "" {
		if err := s.write(ctx, table.Delete(connectedKey(in, c.Ref))); err != nil {
			return err
		}
	}
	now := s.clock()
	left, err := Connection{Ref: c.Ref, Project: c.Project, Session: c.Session, Connected: c.Connected, Expires: now}.item(now)
	if err != nil {
		return err
	}
	left["left"], left["nonce"], left[table.ExpiresAt] = true, s.newID(), now.Add(leftFor).Unix()
	gone := false
	err = again(func() error {
		err := s.write(ctx, table.Put(left, table.Equal("session", string(c.Session)), table.Missing("left")))
		if stood, was := standing(err, 0); was {
			if gone = stood == nil || stood.Bool("left"); gone {
				return nil
			}
			c.Session = SessionID(stood.String("session"))
			left["session"] = string(c.Session)
		}
		return err
	})
	if err != nil || gone || c.Session == "" || !c.Caller.staff() {
		return err
	}
	return s.write(ctx, table.Delete(connectedKey(sessionPK(c.Project, c.Session), c.Ref)))
}

// Watch has an operator's console look at a session, "" for none: it is then among
// the session's connections and no other's. The session has to be one of the project.
// ErrNotFound if the connection has ended or the session is unknown. At most 6 write
// units.
func (s *Store) Watch(ctx context.Context, ref socket.Ref, id SessionID) error {
	c, err := s.ConnectionOf(ctx, ref)
	if err != nil {
		return err
	}
	if !c.Caller.staff() {
		return errOperatorsOnly()
	}
	if id != "" {
		if _, err := s.open(ctx, c.Caller, id, false); err != nil {
			return err
		}
	}
	for range changeTries {
		if c.Session == id {
			return nil
		}
		stood, err := s.turnTo(ctx, c, id)
		if stood == nil || err != nil {
			return err
		}
		if c, err = s.liveFrom(stood); err != nil {
			return err
		}
	}
	return unavailable(table.ErrNotDone)
}

// turnTo has a console look at a session, if the connection stands as it was read, or
// else returns how it stands.
func (s *Store) turnTo(ctx context.Context, c Connection, id SessionID) (stood table.Item, err error) {
	actions := []table.Action{table.Set(connectionKey(c.Ref), table.Item{"session": string(id)},
		table.Equal("session", string(c.Session)), table.Missing("left"))}
	if c.Session != "" {
		actions = append(actions, table.Delete(connectedKey(sessionPK(c.Project, c.Session), c.Ref)))
	}
	if id != "" {
		now := c
		now.Session = id
		row, err := now.row(sessionPK(c.Project, id), s.clock())
		if err != nil {
			return nil, err
		}
		actions = append(actions, table.Put(row))
	}
	err = s.write(ctx, actions...)
	stood, was := standing(err, 0)
	switch {
	case !was:
		return nil, err
	case stood == nil:
		return nil, errNoConnection()
	}
	return stood, nil
}

// VisitorConnections returns the connections of a visitor, at most MaxConnections, in
// no order. Those of a dialect that has Attach may not be ready.
func (s *Store) VisitorConnections(ctx context.Context, p ProjectID, v VisitorID) ([]Connection, error) {
	return s.connectionsIn(ctx, p, "", visitorKey(p, v).PK)
}

// TeamConnections returns those of a project's people, in the same way.
func (s *Store) TeamConnections(ctx context.Context, p ProjectID) ([]Connection, error) {
	return s.connectionsIn(ctx, p, "", teamPK(p))
}

// SessionConnections returns the connection that a session's Line has, if one is
// there, and those of the consoles that look at it, in the same way.
func (s *Store) SessionConnections(ctx context.Context, p ProjectID, id SessionID) ([]Connection, error) {
	return s.connectionsIn(ctx, p, id, sessionPK(p, id))
}

func (s *Store) connectionsIn(ctx context.Context, p ProjectID, id SessionID, partition string) ([]Connection, error) {
	var out []Connection
	now := s.clock()
	q := table.Query{Partition: partition, From: skConnectionFrom, To: skLine, Limit: MaxConnections}
	for item, err := range s.items(ctx, q) {
		if err != nil {
			return nil, err
		}
		c, err := connectionFrom(item)
		if item.String(table.SK) == skLine {
			c, err = lineConnection(p, id, item, now)
		}
		if err != nil {
			return nil, err
		}
		if c.ID != "" && c.standsFor(now) {
			out = append(out, c)
		}
		if len(out) == MaxConnections {
			break
		}
	}
	return out, nil
}

// eraseConnections removes the connections that a visitor has to a session.
func (s *Store) eraseConnections(ctx context.Context, p ProjectID, id SessionID, v VisitorID) error {
	if v == "" {
		return nil
	}
	q := table.Query{Partition: visitorKey(p, v).PK, From: skConnectionFrom, To: skLine, Limit: MaxConnections, Consistent: true}
	for item, err := range s.items(ctx, q) {
		if err != nil {
			return err
		}
		c, err := connectionFrom(item)
		if err != nil {
			return err
		}
		if c.Session != id {
			continue
		}
		if err := s.write(ctx, table.Delete(connectionKey(c.Ref)), table.Delete(item.Key())); err != nil {
			return err
		}
	}
	return nil
}

// lookAway has a console look at nothing where it looks at a session that is erased.
func (s *Store) lookAway(ctx context.Context, id SessionID, row table.Item) error {
	c, err := connectionFrom(row)
	if err != nil {
		return err
	}
	return unrefused(s.write(ctx, table.Set(connectionKey(c.Ref), table.Item{"session": ""}, table.Equal("session", string(id)))))
}
