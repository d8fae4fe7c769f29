package parley

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"strings"
	"time"

	"parley/shared/table"
)

// Tracking is what the page of a bare visitor says of where they are, and with what.
type Tracking struct {
	Language string `json:"language,omitempty"` // BCP 47
	Timezone string `json:"timezone,omitempty"`
	// Device is what else is known of the browser, by the dialect's names.
	Device map[string]string `json:"device,omitempty"`
	// First is how the visitor came: a JSON object, kept from the first time on.
	First json.RawMessage `json:"first,omitempty"`
	// Page is where the visitor is: a JSON object, with url and title as texts.
	Page json.RawMessage `json:"page,omitempty"`
	// Since is when they came there, in milliseconds.
	Since int64 `json:"since,omitempty"`
	// Past are the pages before that one, newest first, at most MaxPast: fewer where
	// MaxTrackingBytes leaves no room.
	Past []Visit `json:"past,omitempty"`
	// Updated is when any of it changed last, in milliseconds.
	Updated int64 `json:"updated,omitempty"`
}

// Visit is that a visitor was at a page.
type Visit struct {
	// URL is the page's address, without query and fragment once the visitor has left.
	URL   string `json:"url"`
	Title string `json:"title,omitempty"`
	At    int64  `json:"at"` // when they came, in milliseconds
}

// TrackingLife is how long it is kept where a visitor was, after it changed last. Our
// choice: a quarter of a year; whoever is back says it anew.
const TrackingLife = 90 * 24 * time.Hour

// Limits of a Tracking. Our choices: it is written as visitors go from page to page.
const (
	// MaxTrackingBytes is the most of it that is kept, in bytes of JSON.
	MaxTrackingBytes = 4 << 10
	// MaxTimezoneBytes is the longest time zone: the longest of IANA's has 32.
	MaxTimezoneBytes = 64
	// MaxPast is how many pages are kept besides the one where the visitor is,
	// maxVisitBytes how much of an address or a title of theirs: enough to see what
	// somebody was about to do.
	MaxPast       = 8
	maxVisitBytes = 200
)

// Visits are the pages that are known, newest first.
func (t Tracking) Visits() []Visit {
	at := t.Where()
	if at.URL == "" {
		return t.Past
	}
	return append([]Visit{{at.URL, at.Title, t.Since}}, t.Past...)
}

// Where is the page where the visitor is.
func (t Tracking) Where() Page {
	var at struct{ URL, Title string }
	if t.Page == nil || json.Unmarshal(t.Page, &at) != nil {
		return Page{}
	}
	return Page{URL: at.URL, Title: at.Title}
}

func (t Tracking) check() error {
	return cmp.Or(checkLength("language", t.Language, MaxLanguageBytes), checkLength("timezone", t.Timezone, MaxTimezoneBytes),
		checkPairs("device", t.Device), checkAnyObject("attribution", t.First, MaxTrackingBytes),
		checkAnyObject("currentPage", t.Page, MaxTrackingBytes))
}

// onTopOf is what is known after an earlier Tracking; what is not said stays.
func (t Tracking) onTopOf(was Tracking) Tracking {
	now := was
	now.Language, now.Timezone = cmp.Or(t.Language, was.Language), cmp.Or(t.Timezone, was.Timezone)
	if len(t.Device) > 0 {
		now.Device = maps.Clone(was.Device)
		if now.Device == nil {
			now.Device = map[string]string{}
		}
		maps.Copy(now.Device, t.Device)
	}
	if now.First == nil {
		now.First = t.First
	}
	if t.Page == nil {
		return now
	}
	left := was.Where()
	now.Page = t.Page
	if left.URL == now.Where().URL {
		return now
	}
	now.Since = 0
	if left.URL != "" {
		visit := Visit{fit(withoutQuery(left.URL), maxVisitBytes), fit(left.Title, maxVisitBytes), was.Since}
		now.Past = append([]Visit{visit}, was.Past[:min(len(was.Past), MaxPast-1)]...)
	}
	return now
}

// withoutQuery is an address without what stands behind its path: links to reset
// passwords and to sign in have their secrets there, and pages that were left are kept
// for long.
func withoutQuery(url string) string {
	if end := strings.IndexAny(url, "?#"); end >= 0 {
		return url[:end]
	}
	return url
}

func trackingFrom(item table.Item) (t Tracking, err error) {
	err = decode(item, "tracking", &t)
	return t, err
}

// Track keeps what the page of the caller, a bare visitor, says of itself, and that it
// is there. What is known already is not written, nor is what is above the bound of
// the caller's address. Errors: invalid_field, too_large.
func (s *Store) Track(ctx context.Context, c Caller, t Tracking) error {
	if err := t.check(); err != nil {
		return err
	}
	k := visitorTrackKey(c.Project, c.Visitor)
	items, err := s.ownItems(ctx, c, k)
	if err != nil {
		return err
	}
	was, err := trackingFrom(items[1])
	if err != nil {
		return err
	}
	actions, err := s.toTrack(c, k, was, t.onTopOf(was))
	if err != nil {
		return err
	}
	sign := s.sign(c, items[0])
	switch {
	case sign != nil:
		actions = append(actions, *sign)
	case actions != nil:
		actions = append(actions, checkVisitor(c))
	default:
		return nil
	}
	if s.takeSign(ctx, c) != nil {
		return nil
	}
	return unrefused(s.write(ctx, actions...))
}

// toTrack are the actions that keep what is known now; none if nothing is new.
func (s *Store) toTrack(c Caller, k table.Key, was, now Tracking) ([]table.Action, error) {
	if sameJSON(was, now) {
		return nil, nil
	}
	now.Updated = s.clock().UnixMilli()
	now.Since = cmp.Or(now.Since, now.Updated)
	for {
		item, err := record(k, "tracking", now, table.Item{"nonce": s.newID(), table.ExpiresAt: s.clock().Add(TrackingLife).Unix()})
		if err != nil {
			return nil, err
		}
		n := len(now.Past)
		switch {
		case len(item.String("data")) <= MaxTrackingBytes:
			return []table.Action{table.Put(item)}, nil
		case n == 0:
			return nil, tooLarge("tracking", MaxTrackingBytes)
		}
		now.Past = now.Past[:n-1]
	}
}
