package api

import (
	"log/slog"

	"parley/shared/parley"
)

// LogNear returns a parley.Config.Near that writes a line with the bound, by which an
// alarm of template.yaml knows it.
func LogNear(log *slog.Logger) func(parley.Near) {
	return func(n parley.Near) {
		log.Warn("a bound of the day is nearly used up", "project", n.Project, "bound", n.Bound, "counts", n.What)
	}
}
