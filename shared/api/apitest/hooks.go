package apitest

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"parley/shared/parley"
)

type (
	hookAnswer struct {
		ID       parley.HookID
		URL      string
		Events   []parley.HookEvent
		Disabled bool
		Keys     []string
	}
	newHookAnswer struct {
		Hook        hookAnswer
		Key, Secret string
	}
)

// testOperatorHooks: endpoints are made, changed, rotated and removed, and their
// secrets are shown once.
func testOperatorHooks(t *testing.T, s *suite) {
	b := s.project(t, nil).visitor()
	manager, reader := b.staff("", parley.Scopes()...), b.staff("", parley.ScopeRead)
	const path = "/operator/project/hooks"
	post := func(path string, body any) *answer {
		return manager.do(call{method: http.MethodPost, path: path, body: body})
	}
	remove := func(path string) *answer { return manager.do(call{method: http.MethodDelete, path: path}) }
	list := func() []hookAnswer { return into[struct{ Hooks []hookAnswer }](manager.get(path)).Hooks }
	want := map[string]any{"url": "https://customer.example/hook", "events": []string{"message", "session.rated"}}

	reader.do(call{method: http.MethodGet, path: path}).fails(http.StatusForbidden, "scope_missing")
	made := into[newHookAnswer](post(path, want).is(http.StatusCreated))
	own := path + "/" + string(made.Hook.ID)
	if !strings.HasPrefix(made.Secret, "whsec_") || made.Hook.URL != want["url"] || !slices.Equal(made.Hook.Keys, []string{made.Key}) {
		t.Errorf("made %+v", made)
	}
	if got := manager.get(path); len(list()) != 1 || strings.Contains(got.body, made.Secret) {
		t.Errorf("hooks = %s", got.body)
	}
	for name, wrong := range map[string]map[string]any{
		"no host":   {"url": "https:///", "events": []string{"message"}},
		"metadata":  {"url": "https://169.254.169.254/", "events": []string{"message"}},
		"no events": {"url": want["url"], "events": []string{}},
		"unknown":   {"url": want["url"], "events": []string{"session.sung"}},
	} {
		if got := post(path, wrong); got.status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
	}
	want["disabled"] = true
	if got := into[struct{ Hook hookAnswer }](manager.put(own, want)); !got.Hook.Disabled || got.Hook.ID != made.Hook.ID {
		t.Errorf("changed to %+v", got)
	}
	manager.do(put(path+"/wh_none", want)).fails(http.StatusNotFound, "not_found")
	testHookKeys(t, manager, own, made)

	id := b.chat(ask("Hello")).accepted.Session.ID
	replay := map[string]any{"sessionId": id, "from": 0}
	manager.await("the disabled endpoint", func() bool { return post(own+"/replay", replay).status == http.StatusConflict })
	post(own+"/replay", replay).fails(http.StatusConflict, "hook_disabled")
	want["disabled"] = false
	manager.put(own, want)
	manager.await("the enabled endpoint", func() bool { return post(own+"/replay", replay).status == http.StatusAccepted })
	post(own+"/replay", map[string]any{"sessionId": "snone", "from": 0}).fails(http.StatusNotFound, "not_found")
	post(own+"/replay", map[string]any{"sessionId": id, "from": 99}).fails(http.StatusBadRequest, "invalid_field")
	if err := s.Store.FailHook(t.Context(), b.settings().ID, parley.FailedHook{Hook: made.Hook.ID, Session: id, Seq: 1,
		Event: parley.HookMessage, Attempts: 8, Reason: "answered 500"}); err != nil {
		t.Fatal(err)
	}
	manager.await("what was given up", func() bool {
		got := into[struct{ Failed []struct{ Reason string } }](manager.get(own + "/failed"))
		return len(got.Failed) == 1 && got.Failed[0].Reason == "answered 500"
	})
	manager.do(call{method: http.MethodGet, path: own + "/failed?cursor=x"}).fails(http.StatusBadRequest, "invalid_cursor")

	for range parley.MaxHooks - 1 {
		post(path, want).is(http.StatusCreated)
	}
	post(path, want).fails(http.StatusTooManyRequests, "too_many_hooks")
	remove(own).is(http.StatusOK)
	remove(own).is(http.StatusOK)
	if got := list(); len(got) != parley.MaxHooks-1 {
		t.Errorf("hooks = %+v", got)
	}
}

func testHookKeys(t *testing.T, manager *browser, own string, made newHookAnswer) {
	t.Helper()
	rotate := func() *answer { return manager.do(call{method: http.MethodPost, path: own + "/keys"}) }
	remove := func(key string) *answer {
		return manager.do(call{method: http.MethodDelete, path: own + "/keys/" + key})
	}
	remove(made.Key).fails(http.StatusConflict, "last_key")
	second := into[struct{ Key, Secret string }](rotate().is(http.StatusCreated))
	if second.Secret == made.Secret || !strings.HasPrefix(second.Secret, "whsec_") {
		t.Errorf("second key = %+v", second)
	}
	rotate().fails(http.StatusConflict, "hook_rotating")
	remove(made.Key).is(http.StatusOK)
	remove(second.Key).fails(http.StatusConflict, "last_key")
}
