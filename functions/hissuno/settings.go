package hissuno

import (
	"net/http"
	"slices"

	"parley/shared/api"
	"parley/shared/parley"
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

func (f function) settings(w http.ResponseWriter, r *http.Request) error {
	p, err := f.project(r, r.URL.Query().Get("projectId"))
	if err != nil {
		return err
	}
	return api.JSON(w, http.StatusOK, settingsOf(p))
}

func settingsOf(p *parley.Project) settings {
	s := settings{Trigger: known(p.Widget.Trigger, triggers), Display: known(p.Widget.Display, displays),
		Theme: known(p.Widget.Theme, themes), Position: known(p.Widget.Position, positions),
		Title: p.Widget.Title, InitialMessage: p.Greeting, Shortcut: p.Widget.Shortcut, DrawerBadgeLabel: p.Widget.Badge,
		TokenRequired: p.TokenRequired}
	if s.Title == "" {
		s.Title = p.Name
	}
	if s.DrawerBadgeLabel == "" {
		s.DrawerBadgeLabel = "Support"
	}
	return s
}
