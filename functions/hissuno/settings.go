package hissuno

import (
	"cmp"
	"net/http"
	"slices"
)

// settings is how the widget shows itself. Every field is there, so that a
// widget which reads one finds it.
type settings struct {
	Trigger          string `json:"trigger"`
	Display          string `json:"display"`
	Theme            string `json:"theme"`
	Position         string `json:"position"`
	Title            string `json:"title"`
	InitialMessage   string `json:"initialMessage,omitempty"`
	Shortcut         string `json:"shortcut,omitempty"`
	DrawerBadgeLabel string `json:"drawerBadgeLabel"`
	TokenRequired    bool   `json:"tokenRequired"`
}

// What the widget knows, the default first.
var (
	triggers  = []string{"bubble", "drawer-badge", "headless"}
	displays  = []string{"sidepanel", "popup", "dialog"}
	themes    = []string{"light", "dark", "auto"}
	positions = []string{"bottom-right", "bottom-left", "top-right", "top-left"}
)

func known(value string, values []string) string {
	if slices.Contains(values, value) {
		return value
	}
	return values[0]
}

func (f function) settings(r *http.Request) (any, error) {
	p, err := f.project(r, r.URL.Query().Get("projectId"))
	if err != nil {
		return nil, err
	}
	w := p.Widget
	return settings{Trigger: known(w.Trigger, triggers), Display: known(w.Display, displays), Theme: known(w.Theme, themes),
		Position: known(w.Position, positions), Title: cmp.Or(w.Title, p.Name), InitialMessage: p.Greeting, Shortcut: w.Shortcut,
		DrawerBadgeLabel: cmp.Or(w.Badge, "Support"), TokenRequired: p.TokenRequired}, nil
}
