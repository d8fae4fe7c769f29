package operator

import (
	"net/http"
	"time"

	"parley/shared/api"
	"parley/shared/parley"
)

// standardDays is how many days of figures are returned by default.
const standardDays = 30

type figures struct {
	Sessions int64   `json:"sessions"`
	Ratings  ratings `json:"ratings"`
	Answers  answers `json:"answers"`
}

type ratings struct {
	Count   int64    `json:"count"`
	Average *float64 `json:"average"`
	Scores  []int64  `json:"scores"`
}

type answers struct {
	Count           int64    `json:"count"`
	AverageSeconds  *float64 `json:"averageSeconds"`
	WithinMinute    int64    `json:"withinMinute"`
	Within5Minutes  int64    `json:"within5Minutes"`
	Within15Minutes int64    `json:"within15Minutes"`
	WithinHour      int64    `json:"withinHour"`
}

// average returns sum divided by count, or null if count is 0.
func average(sum float64, count int64) *float64 {
	if count == 0 {
		return nil
	}
	average := sum / float64(count)
	return &average
}

func newFigures(f parley.Figures) figures {
	out := figures{Sessions: f.Sessions}
	sum := int64(0)
	for score := parley.MinScore; score <= parley.MaxScore; score++ {
		n := f.Ratings[score]
		out.Ratings.Scores = append(out.Ratings.Scores, n)
		out.Ratings.Count += n
		sum += n * int64(score)
	}
	out.Ratings.Average = average(float64(sum), out.Ratings.Count)
	a := f.Answers
	out.Answers = answers{a.Count, average(a.Waited.Seconds(), a.Count), a.Within[0], a.Within[1], a.Within[2], a.Within[3]}
	return out
}

type day struct {
	Day     string  `json:"day"`
	Figures figures `json:"figures"`
}

type figuresOut struct {
	From  string  `json:"from"`
	To    string  `json:"to"`
	Total figures `json:"total"`
	Days  []day   `json:"days"`
}

func (f function) figures(r *http.Request, s api.Staff) (any, error) {
	to, err := date(r, "to", f.Now().UTC())
	if err != nil {
		return nil, err
	}
	from, err := date(r, "from", to.AddDate(0, 0, 1-standardDays))
	if err != nil {
		return nil, err
	}
	all, err := f.API.Store.Figures(r.Context(), s.Caller, from, to)
	if err != nil {
		return nil, err
	}
	out := figuresOut{all[0].Day, all[len(all)-1].Day, newFigures(parley.Sum(all)), make([]day, len(all))}
	for i, d := range all {
		out.Days[i] = day{d.Day, newFigures(d)}
	}
	return out, nil
}

func date(r *http.Request, name string, standard time.Time) (time.Time, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return standard, nil
	}
	t, err := time.Parse(time.DateOnly, text)
	if err != nil || t.Year() < 1970 {
		return t, api.InvalidField(name, name+" is a day like 2026-10-16")
	}
	return t, nil
}

type rated struct {
	Session parley.SessionID `json:"session"`
	Rating  rating           `json:"rating"`
}

type ratingsOut struct {
	Ratings []rated `json:"ratings"`
	Next    *string `json:"next"`
}

func (f function) ratings(r *http.Request, s api.Staff) (any, error) {
	p, err := api.Page(r)
	if err != nil {
		return nil, err
	}
	list, cursor, err := f.API.Store.Ratings(r.Context(), s.Caller, p)
	out := ratingsOut{Ratings: make([]rated, len(list)), Next: api.OrNull(cursor)}
	for i, l := range list {
		out.Ratings[i] = rated{l.Session, rating{l.Rating.Score, l.Rating.Feedback, api.Time(l.Rating.At)}}
	}
	return out, err
}
