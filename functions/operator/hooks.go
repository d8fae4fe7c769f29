package operator

import (
	"net/http"
	"time"

	"parley/shared/api"
	"parley/shared/parley"
)

type hookOut struct {
	ID       parley.HookID      `json:"id"`
	URL      string             `json:"url"`
	Events   []parley.HookEvent `json:"events"`
	Disabled bool               `json:"disabled"`
	Since    api.Time           `json:"since"`
	Keys     []string           `json:"keys"`
}

func newHook(h parley.Hook) hookOut {
	return hookOut{h.ID, h.URL, h.Events, h.Disabled, api.Time(h.Since), h.Keys}
}

// hooks reads the settings without the cache, so that a change is seen at once.
func (f function) hooks(r *http.Request, s api.Staff) (any, error) {
	now, err := f.API.Store.Settings(r.Context(), s.Project.ID)
	out := make([]hookOut, len(now.Project.Hooks))
	for i, h := range now.Project.Hooks {
		out[i] = newHook(h)
	}
	return map[string][]hookOut{"hooks": out}, err
}

type hookIn struct {
	URL      string             `json:"url"`
	Events   []parley.HookEvent `json:"events"`
	Disabled bool               `json:"disabled"`
}

// hookOf reads an endpoint from the request, and checks that its address may be
// called.
func (f function) hookOf(r *http.Request) (parley.Hook, error) {
	var in hookIn
	if err := api.Decode(r, &in); err != nil {
		return parley.Hook{}, err
	}
	if f.CheckURL != nil {
		if err := f.CheckURL(in.URL); err != nil {
			return parley.Hook{}, api.InvalidField("url", err.Error())
		}
	}
	return parley.Hook{ID: parley.HookID(r.PathValue("hook")), URL: in.URL, Events: in.Events, Disabled: in.Disabled}, nil
}

type hookKey struct {
	Key    string `json:"key"`
	Secret string `json:"secret"`
}

type newHookOut struct {
	Hook hookOut `json:"hook"`
	hookKey
}

func (f function) addHook(r *http.Request, s api.Staff) (any, error) {
	h, err := f.hookOf(r)
	if err != nil {
		return nil, err
	}
	made, secret, err := f.API.Store.PutHook(r.Context(), s.Caller, h)
	return api.Created{Value: newHookOut{newHook(made), hookKey(secret)}}, err
}

func (f function) putHook(r *http.Request, s api.Staff) (any, error) {
	h, err := f.hookOf(r)
	if err != nil {
		return nil, err
	}
	changed, _, err := f.API.Store.PutHook(r.Context(), s.Caller, h)
	return map[string]hookOut{"hook": newHook(changed)}, err
}

func (f function) removeHook(r *http.Request, s api.Staff) (any, error) {
	return removed{true}, f.API.Store.DeleteHook(r.Context(), s.Caller, parley.HookID(r.PathValue("hook")))
}

func (f function) addHookKey(r *http.Request, s api.Staff) (any, error) {
	secret, err := f.API.Store.RotateHook(r.Context(), s.Caller, parley.HookID(r.PathValue("hook")))
	return api.Created{Value: hookKey(secret)}, err
}

func (f function) removeHookKey(r *http.Request, s api.Staff) (any, error) {
	return removed{true}, f.API.Store.DropHookKey(r.Context(), s.Caller, parley.HookID(r.PathValue("hook")), r.PathValue("key"))
}

// failedHook is a webhook whose delivery was given up.
type failedHook struct {
	Session  parley.SessionID `json:"session"`
	Seq      parley.Seq       `json:"seq"`
	Event    parley.HookEvent `json:"event"`
	At       api.Time         `json:"at"`
	Attempts int              `json:"attempts"`
	Reason   string           `json:"reason"`
}

func (f function) failedHooks(r *http.Request, s api.Staff) (any, error) {
	p, err := api.Page(r)
	if err != nil {
		return nil, err
	}
	list, cursor, err := f.API.Store.FailedHooks(r.Context(), s.Caller, parley.HookID(r.PathValue("hook")), p)
	out := make([]failedHook, len(list))
	for i, l := range list {
		out[i] = failedHook{l.Session, l.Seq, l.Event, api.TimeOf(time.UnixMilli(l.At)), l.Attempts, l.Reason}
	}
	return struct {
		Failed []failedHook `json:"failed"`
		Next   *string      `json:"next"`
	}{out, api.OrNull(cursor)}, err
}

// replayHook only marks the webhooks for delivery; the sweep starts it within a
// minute.
func (f function) replayHook(w http.ResponseWriter, r *http.Request, s api.Staff) error {
	var in struct {
		SessionID parley.SessionID `json:"sessionId"`
		From      parley.Seq       `json:"from"`
	}
	if err := api.Decode(r, &in); err != nil {
		return err
	}
	if err := f.API.Store.ReplayHook(r.Context(), s.Caller, parley.HookID(r.PathValue("hook")), in.SessionID, in.From); err != nil {
		return err
	}
	return api.JSON(w, http.StatusAccepted, map[string]bool{"accepted": true})
}
