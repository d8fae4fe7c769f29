package parley

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/url"
	"slices"
)

// HookID is the id of a webhook endpoint.
type HookID string

// Hook is an endpoint that a project's webhooks go to.
type Hook struct {
	ID HookID `json:"id"`
	// URL is where they are posted, at most MaxHookURLBytes; https, but on a laptop.
	URL string `json:"url"`
	// Events are the ones that it gets; at least one.
	Events []HookEvent `json:"events"`
	// Disabled endpoints get nothing, and nothing is kept for them.
	Disabled bool `json:"disabled,omitempty"`
	// Since is when it was made or last enabled, in milliseconds. It gets what
	// happened from then on, and what is replayed.
	Since int64 `json:"since"`
	// Keys are the ids of the secrets that sign what it gets: one, and two
	// during a rotation, the newer one last. The secrets are derived.
	Keys []string `json:"keys"`
}

// Limits of a project's webhooks. Our choices.
const (
	MaxHooks        = 5
	MaxHookKeys     = 2
	MaxHookURLBytes = 2000
)

// HookEvent is a kind of webhook. Each is of one entry of a session, but
// HookStarted.
type HookEvent string

// The kinds of webhook.
const (
	HookStarted  HookEvent = "session.started"
	HookMessage  HookEvent = "message"         // by a user, an agent or a human, erased ones too
	HookAmended  HookEvent = "message.amended" // a later entry says something of an earlier one: a vote
	HookTakeover HookEvent = "takeover"        // handed over, taken over, handed back
	HookClosed   HookEvent = "session.closed"
	HookResolved HookEvent = "session.resolved"
	HookReopened HookEvent = "session.reopened"
	HookReviewed HookEvent = "session.reviewed"
	HookRated    HookEvent = "session.rated"
	HookInternal HookEvent = "internal" // every internal entry: notes, drafts, reasons
)

// HookEvents are all kinds of webhook.
func HookEvents() []HookEvent {
	return []HookEvent{HookStarted, HookMessage, HookAmended, HookTakeover, HookClosed, HookResolved, HookReopened,
		HookReviewed, HookRated, HookInternal}
}

// HookEvent returns the kind of webhook that an entry is, "" if it is none. What
// is internal is a HookInternal and no other.
func (e Entry) HookEvent() HookEvent {
	switch {
	case e.Event == EventReviewed:
		return HookReviewed
	case e.Internal:
		return HookInternal
	case e.Amends != 0:
		return HookAmended
	case e.Event == "":
		return HookMessage
	}
	return map[Event]HookEvent{
		EventHandedOver: HookTakeover, EventTakenOver: HookTakeover, EventHandedBack: HookTakeover,
		EventClosed: HookClosed, EventResolved: HookResolved, EventReopened: HookReopened, EventRated: HookRated,
	}[e.Event]
}

// Wants reports whether the endpoint gets an event.
func (h Hook) Wants(e HookEvent) bool { return slices.Contains(h.Events, e) }

// Hook returns an endpoint of the project. ErrNotFound if there is none.
func (p *Project) Hook(id HookID) (Hook, error) {
	for _, h := range p.Hooks {
		if h.ID == id {
			return h, nil
		}
	}
	return Hook{}, notFound("webhook")
}

// Hooked reports whether anybody gets webhooks of the project.
func (p *Project) Hooked() bool {
	return slices.ContainsFunc(p.Hooks, func(h Hook) bool { return !h.Disabled })
}

func checkHooks(hooks []Hook) error {
	if len(hooks) > MaxHooks {
		return invalid("hooks", "a project has at most %d webhooks", MaxHooks)
	}
	seen := map[HookID]bool{}
	for _, h := range hooks {
		if err := h.check(); err != nil {
			return err
		}
		if seen[h.ID] {
			return invalid("hooks", "two webhooks have the same id")
		}
		seen[h.ID] = true
	}
	return nil
}

// check leaves to whoever asks the URL which hosts and schemes may be asked.
func (h Hook) check() error {
	if err := CheckID("hook", string(h.ID)); err != nil {
		return err
	}
	if len(h.URL) > MaxHookURLBytes {
		return tooLarge("url", MaxHookURLBytes)
	}
	u, err := url.Parse(h.URL)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil {
		return invalid("url", "a webhook's url begins with https:// and a host, without a user or password")
	}
	if len(h.Events) == 0 {
		return invalid("events", "a webhook names the events that it gets")
	}
	for i, e := range h.Events {
		if !slices.Contains(HookEvents(), e) || slices.Contains(h.Events[:i], e) {
			return invalid("events", "events are of the known ones, each at most once")
		}
	}
	if len(h.Keys) == 0 || len(h.Keys) > MaxHookKeys || slices.Contains(h.Keys, "") {
		return invalid("keys", "a webhook has 1 to %d keys", MaxHookKeys)
	}
	return nil
}

// HookSecret is a secret with which an endpoint checks what it gets: the key of
// an HMAC, byte for byte. It is shown by the call that makes it, stored nowhere,
// and cannot be asked for again.
type HookSecret struct {
	Key, Secret string
}

// hookSecretPrefix tells people, and scanners of leaked secrets, what they found.
const hookSecretPrefix = "whsec_"

func (s *Store) hookSecret(p ProjectID, h HookID, key string) HookSecret {
	return HookSecret{key, hookSecretPrefix + base64.RawURLEncoding.EncodeToString(s.derive("webhook secret", string(p), string(h), key))}
}

// HookSecrets returns what signs for an endpoint: its keys', the newest first,
// and during a rotation of the master secret what they were before.
func (s *Store) HookSecrets(p ProjectID, h Hook) []string {
	var secrets []string
	for _, key := range slices.Backward(h.Keys) {
		secrets = append(secrets, s.hookSecret(p, h.ID, key).Secret)
		if before := s.previous("webhook secret", string(p), string(h.ID), key); before != nil {
			secrets = append(secrets, hookSecretPrefix+base64.RawURLEncoding.EncodeToString(before))
		}
	}
	return secrets
}

// PutHook makes an endpoint, where h has no ID, or changes the URL, the events
// and whether it is disabled of the one that it names. Whoever calls checks
// before that the URL may be asked at all. A new endpoint comes with its secret.
//
// Errors: ErrNotFound, ErrInvalid; too_many_hooks, of kind ErrLimit.
func (s *Store) PutHook(ctx context.Context, c Caller, h Hook) (Hook, HookSecret, error) {
	var secret HookSecret
	var out Hook
	fresh, key := HookID("wh_"+s.newID()), s.newID()
	err := s.changeHooks(ctx, c, func(p *Project) error {
		if h.ID == "" {
			out = Hook{ID: fresh, URL: h.URL, Events: h.Events, Disabled: h.Disabled, Since: s.clock().UnixMilli(), Keys: []string{key}}
			secret = s.hookSecret(p.ID, out.ID, key)
			return p.addHook(out)
		}
		return p.changeHook(h.ID, func(old *Hook) error {
			if old.Disabled && !h.Disabled {
				old.Since = s.clock().UnixMilli()
			}
			old.URL, old.Events, old.Disabled = h.URL, h.Events, h.Disabled
			out = *old
			return nil
		})
	})
	return out, secret, err
}

// RotateHook gives an endpoint a second key, whose secret signs beside that of
// the first from now on. hook_rotating, of kind ErrConflict, if it has two.
func (s *Store) RotateHook(ctx context.Context, c Caller, id HookID) (HookSecret, error) {
	key := s.newID()
	err := s.changeHooks(ctx, c, func(p *Project) error {
		return p.changeHook(id, func(h *Hook) error {
			switch {
			case slices.Contains(h.Keys, key): // an earlier try whose outcome nobody knew
				return errNothing
			case len(h.Keys) >= MaxHookKeys:
				return conflict("hook_rotating", "this webhook has two keys; take the older one away first")
			}
			h.Keys = append(slices.Clone(h.Keys), key)
			return nil
		})
	})
	if err != nil {
		return HookSecret{}, err
	}
	return s.hookSecret(c.Project, id, key), nil
}

// DropHookKey takes a key away: its secret signs nothing any more. A key that
// is not there is gone already; last_key, of kind ErrConflict, for the only one.
func (s *Store) DropHookKey(ctx context.Context, c Caller, id HookID, key string) error {
	return s.changeHooks(ctx, c, func(p *Project) error {
		return p.changeHook(id, func(h *Hook) error {
			switch {
			case !slices.Contains(h.Keys, key):
				return errNothing
			case len(h.Keys) == 1:
				return conflict("last_key", "a webhook keeps one key")
			}
			h.Keys = slices.DeleteFunc(slices.Clone(h.Keys), func(k string) bool { return k == key })
			return nil
		})
	})
}

// DeleteHook removes an endpoint. What had not been delivered never will be. One
// that is not there is gone already.
func (s *Store) DeleteHook(ctx context.Context, c Caller, id HookID) error {
	return s.changeHooks(ctx, c, func(p *Project) error {
		if _, err := p.Hook(id); err != nil {
			return errNothing
		}
		p.Hooks = slices.DeleteFunc(p.Hooks, func(h Hook) bool { return h.ID == id })
		return nil
	})
}

func (p *Project) addHook(h Hook) error {
	if _, err := p.Hook(h.ID); err == nil { // an earlier try whose outcome nobody knew
		return errNothing
	}
	if len(p.Hooks) >= MaxHooks {
		return &Error{Kind: ErrLimit, Code: "too_many_hooks", Text: fmt.Sprintf("a project has at most %d webhooks", MaxHooks)}
	}
	p.Hooks = append(p.Hooks, h)
	return nil
}

func (p *Project) changeHook(id HookID, change func(*Hook) error) error {
	for i := range p.Hooks {
		if p.Hooks[i].ID == id {
			return change(&p.Hooks[i])
		}
	}
	return notFound("webhook")
}

func (s *Store) changeHooks(ctx context.Context, c Caller, change func(*Project) error) error {
	if !c.staff() {
		return errOperatorsOnly()
	}
	_, err := s.changeSettings(ctx, c.Project, change)
	return err
}
