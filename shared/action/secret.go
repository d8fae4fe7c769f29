package action

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"parley/shared/parley"
)

// secretLife is how long a secret is cached. Our choice: short enough for a
// rotation to take effect, long enough to save most fetches.
const secretLife = 5 * time.Minute

// maxSecrets bounds the cache of an instance that serves many projects.
const maxSecrets = 1000

// secrets is a cache of secrets.
type secrets struct {
	fetch func(ctx context.Context, p parley.ProjectID, name string) (string, error)
	now   func() time.Time

	mu   sync.Mutex
	kept map[secretName]keptSecret
}

type secretName struct {
	project parley.ProjectID
	name    string
}

type keptSecret struct {
	text  string
	until time.Time
}

// get returns a secret that can stand in a header. White space around it is
// removed, such as a line end that was pasted along.
func (s *secrets) get(ctx context.Context, p parley.ProjectID, name string) (string, error) {
	if s.fetch == nil {
		return "", errors.New("this deployment keeps no secrets of actions")
	}
	key := secretName{p, name}
	s.mu.Lock()
	kept, ok := s.kept[key]
	s.mu.Unlock()
	if ok && s.now().Before(kept.until) {
		return kept.text, nil
	}
	text, err := s.fetch(ctx, p, name)
	if err != nil {
		return "", err
	}
	text = strings.TrimSpace(text)
	if text == "" || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7F }) {
		return "", errors.New("the secret is empty or no text of one line")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.kept == nil || len(s.kept) >= maxSecrets {
		s.kept = map[secretName]keptSecret{}
	}
	s.kept[key] = keptSecret{text, s.now().Add(secretLife)}
	return text, nil
}
