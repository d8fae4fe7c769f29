package parley

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"parley/shared/table"
)

// Scope is something that a private key allows.
type Scope string

// The scopes. None includes another.
const (
	ScopeRead   Scope = "read"   // inbox, sessions, figures
	ScopeReply  Scope = "reply"  // write, take over, resolve, block
	ScopeManage Scope = "manage" // settings, keys, operators
)

// Scopes are all scopes.
func Scopes() []Scope { return []Scope{ScopeRead, ScopeReply, ScopeManage} }

// Private keys begin so; a test key may also be used by pages on localhost.
const (
	livePrivatePrefix = "sk_live_"
	testPrivatePrefix = "sk_test_"
)

// Limits of private keys. Our choices.
const (
	// MaxKeyNameBytes is the longest name of a private key.
	MaxKeyNameBytes = 100
	// MaxPrivateKeys is how many private keys a project has.
	MaxPrivateKeys = 500
	// keysAtATime is how many keys of one operator, or of one name, work at a
	// time: the old and the new one of a rotation.
	keysAtATime = 2
	// usedEvery is how exactly the last use of a key is known.
	usedEvery = time.Hour
)

// PrivateKey is what is known of a private key. The key itself is stored as a
// hash: it has 190 random bits, so that no guess finds it and a plain SHA-256
// keeps it as well as a slow or a keyed hash would.
type PrivateKey struct {
	ID      string    `json:"id"`
	Project ProjectID `json:"-"`
	Name    string    `json:"name"`
	Scopes  []Scope   `json:"scopes"`
	// Operator is whom the key acts as; "" is the project's own server.
	Operator OperatorID `json:"operator,omitempty"`
	Test     bool       `json:"test,omitempty"`
	Created  int64      `json:"created"` // milliseconds
	// Used is when the key was last used, within usedEvery; 0 is never.
	Used int64 `json:"-"`
}

// May reports whether the key has a scope.
func (k PrivateKey) May(scope Scope) bool { return slices.Contains(k.Scopes, scope) }

// AddPrivateKeyBy is AddPrivateKey for whoever holds the key maker, in its project:
// no key gives what it does not have. scope_missing, of kind ErrDenied, if the new
// one had a scope that maker lacks, or maker may not make keys at all.
func (s *Store) AddPrivateKeyBy(ctx context.Context, maker, k PrivateKey) (PrivateKey, string, error) {
	for _, needed := range append([]Scope{ScopeManage}, k.Scopes...) {
		if slices.Contains(Scopes(), needed) && !maker.May(needed) {
			return k, "", denied("scope_missing", "a key cannot give the scope "+string(needed)+", which it does not have")
		}
	}
	return s.AddPrivateKey(ctx, maker.Project, k)
}

func (k *PrivateKey) check() error {
	k.Scopes = slices.Compact(slices.Sorted(slices.Values(k.Scopes)))
	switch {
	case strings.TrimSpace(k.Name) == "" || !utf8.ValidString(k.Name) || strings.ContainsFunc(k.Name, isControl):
		return invalid("name", "name is text without control characters")
	case len(k.Name) > MaxKeyNameBytes:
		return tooLarge("name", MaxKeyNameBytes)
	case len(k.Scopes) == 0 || slices.ContainsFunc(k.Scopes, func(s Scope) bool { return !slices.Contains(Scopes(), s) }):
		return invalid("scopes", "scopes are read, reply, manage, or some of them")
	case k.Operator != "" && CheckID("operator", string(k.Operator)) != nil:
		return errNoOperator()
	}
	return nil
}

func errNoOperator() error { return invalid("operator", "there is no such operator") }

func errUnknownKey() error {
	return denied("unknown_key", "the private key is missing, unknown or revoked")
}

func privateKeyFrom(item table.Item) (PrivateKey, error) {
	k := PrivateKey{Project: ProjectID(item.String("project")), Used: item.Int("used")}
	if item == nil {
		return k, errUnknownKey()
	}
	err := decode(item, "private key", &k)
	return k, err
}

// AddPrivateKey makes a key of a project from the name, scopes, operator and
// test of k, and returns it with the secret, which nobody can be told again.
// too_many_keys, of kind ErrConflict, if two of the same operator, or of the
// same name, work already.
func (s *Store) AddPrivateKey(ctx context.Context, p ProjectID, k PrivateKey) (PrivateKey, string, error) {
	if err := k.check(); err != nil {
		return k, "", err
	}
	all, err := s.ofProject(ctx, p, "private")
	if err != nil {
		return k, "", err
	}
	if len(all) >= MaxPrivateKeys {
		return k, "", conflict("too_many_keys", fmt.Sprintf("a project has at most %d private keys", MaxPrivateKeys))
	}
	secret := newPrivateKey(k.Test)
	k.ID, k.Project, k.Created, k.Used = "key"+s.newID(), p, s.clock().UnixMilli(), 0
	for n := range keysAtATime {
		err = s.putPrivateKey(ctx, k, hashSecret(secret), n)
		if !refused(err) {
			return k, secret, err
		}
		if k.Operator == "" {
			continue
		}
		if _, err := s.Operator(ctx, p, k.Operator); err != nil {
			return k, "", operatorOr(err)
		}
	}
	return k, "", conflict("too_many_keys", "two keys of this operator or name work already; remove one first")
}

// operatorOr makes a missing operator the fault of who named it.
func operatorOr(err error) error {
	if Code(err) == "not_found" {
		return errNoOperator()
	}
	return err
}

// putPrivateKey stores a key in one of the places of its operator or name.
func (s *Store) putPrivateKey(ctx context.Context, k PrivateKey, hash string, n int) error {
	item, err := record(privateKeyKey(hash), "private key", k, table.Item{"project": string(k.Project), "nonce": k.ID})
	if err != nil {
		return err
	}
	slot := privateSlotKey(k.Project, k.Operator, k.Name, n).With(table.Item{"id": k.ID, "hash": hash, "nonce": k.ID})
	actions := []table.Action{table.Put(slot, table.Absent()), table.Put(item, table.Absent())}
	if k.Operator != "" {
		actions = append(actions, table.Check(operatorKey(k.Project, k.Operator), table.Exists()))
	}
	return s.write(ctx, actions...)
}

func newPrivateKey(test bool) string {
	prefix := livePrivatePrefix
	if test {
		prefix = testPrivatePrefix
	}
	return prefix + randomText(32)
}

// hashSecret is as what a key or a ticket is stored: who reads the table cannot use it.
func hashSecret(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// PrivateKeyOf returns the key that a secret is; an unknown_key error of kind
// ErrDenied if it is none. It notes the use, at most once an hour.
func (s *Store) PrivateKeyOf(ctx context.Context, secret string) (PrivateKey, error) {
	if !strings.HasPrefix(secret, livePrivatePrefix) && !strings.HasPrefix(secret, testPrivatePrefix) || len(secret) > MaxIDBytes {
		return PrivateKey{}, errUnknownKey()
	}
	at := privateKeyKey(hashSecret(secret))
	k, err := read(ctx, s, true, at, privateKeyFrom)
	if err != nil {
		return k, err
	}
	if now := s.clock(); now.Sub(time.UnixMilli(k.Used)) >= usedEvery {
		up := table.Set(at, table.Item{"used": now.UnixMilli()}, table.Exists(), table.AtMost("used", now.Add(-usedEvery).UnixMilli()))
		// A note for people: no call fails for want of it, and the next one makes it.
		_ = s.table.Write(ctx, up)
	}
	return k, nil
}

// PrivateKeys returns all private keys of a project, oldest first.
func (s *Store) PrivateKeys(ctx context.Context, p ProjectID) ([]PrivateKey, error) {
	slots, err := s.ofProject(ctx, p, "private")
	if err != nil {
		return nil, err
	}
	keys := make([]table.Key, len(slots))
	for i, slot := range slots {
		keys[i] = privateKeyKey(slot.String("hash"))
	}
	items, err := s.getAll(ctx, true, keys)
	if err != nil {
		return nil, err
	}
	all, err := decodeAll(slices.Collect(maps.Values(items)), privateKeyFrom)
	slices.SortFunc(all, func(a, b PrivateKey) int {
		return cmp.Or(cmp.Compare(a.Created, b.Created), cmp.Compare(a.ID, b.ID))
	})
	return all, err
}

// RemovePrivateKey revokes a key by its id: from now on it is unknown.
// ErrNotFound if the project has none of that id.
func (s *Store) RemovePrivateKey(ctx context.Context, p ProjectID, id string) error {
	slots, err := s.ofProject(ctx, p, "private")
	if err != nil {
		return err
	}
	for _, slot := range slots {
		if slot.String("id") != id {
			continue
		}
		// Refused, somebody else has just removed it, or this was an unknown outcome of ours.
		return unrefused(s.write(ctx, table.Delete(slot.Key(), table.Equal("id", id)),
			table.Delete(privateKeyKey(slot.String("hash")))))
	}
	return notFound("key")
}
