package docs

import (
	"cmp"
	"math"
	"slices"
	"strings"
)

// How sections are ranked: BM25 over three fields whose weighted frequencies
// are added before saturation (BM25F, Robertson, Zaragoza and Taylor, 2004), and
// something for words that stand together as in the question and for a heading
// that is worded like it. The numbers are tuned on the questions of testdata and
// on those that Parley's own documentation is asked.
const (
	// saturation (k1) is the weighted frequency at which a word has half its effect.
	saturation = 0.9
	// titleWeight counts words of the article's title and of the headings above.
	titleWeight = 0.8
	// headingWeight counts words of the section's heading and its keywords; for an
	// article's beginning the title is the heading.
	headingWeight = 3.0
	// lengthEffect (b) is how much a long text thins its words out.
	lengthEffect = 0.5
	// A word found by a synonym, or by another spelling, has this share of its effect.
	synonymShare  = 0.6
	spellingShare = 0.8
	// unknownShare is what a word that no article has counts, of the most that a
	// word can tell: the question may be about something else, or only worded
	// otherwise. A name counts in full.
	unknownShare = 0.6
	// likenessShare is added for a heading in the very words of the question,
	// aboutShare for one that is about nothing but what is asked, and nearShare for
	// a section in which all neighbouring words of the question are neighbours.
	likenessShare = 0.15
	aboutShare    = 0.15
	nearShare     = 0.1
)

// index finds sections. It is not changed after newIndex.
type index struct {
	sections []section
	postings map[string][]posting // by stem
	pairs    []map[string]bool    // by section: stems that stand next to each other
	topics   []map[string]bool    // by section: stems of the heading
	headings []map[string]bool    // by section: all words of the heading
}

// posting says that a word stands in a section, and its weighted frequency there.
type posting struct {
	section int
	weight  float64
}

func newIndex(sections []section) *index {
	bodies := make([][]string, len(sections))
	total := 0
	for i, s := range sections {
		bodies[i] = words(prose(s.text))
		total += len(bodies[i])
	}
	x := &index{sections: sections, postings: map[string][]posting{}}
	average := float64(total) / float64(max(1, len(sections)))
	for i, s := range sections {
		heading := s.heading
		if heading == "" {
			heading = s.title
		}
		weights := map[string]float64{}
		thinning := 1 - lengthEffect + lengthEffect*float64(len(bodies[i]))/max(1, average)
		for _, word := range bodies[i] {
			weights[word] += 1 / thinning
		}
		for word := range setOf(strings.Join(words(s.title+" "+s.topics+" "+strings.Join(s.path, " ")), " ")) {
			weights[word] += titleWeight
		}
		for word := range setOf(strings.Join(words(heading+" "+s.also), " ")) {
			weights[word] += headingWeight
		}
		x.pairs = append(x.pairs, neighbours(words(heading), bodies[i]))
		x.topics = append(x.topics, setOf(strings.Join(words(heading), " ")))
		x.headings = append(x.headings, setOf(bare(heading)))
		for word, weight := range weights {
			x.postings[word] = append(x.postings[word], posting{i, weight})
		}
	}
	return x
}

// neighbours are the pairs of words that follow each other in a text.
func neighbours(texts ...[]string) map[string]bool {
	pairs := map[string]bool{}
	for _, words := range texts {
		for i := range len(words) - 1 {
			pairs[words[i]+" "+words[i+1]] = true
		}
	}
	return pairs
}

// overlap is the share of a's members that b has.
func overlap(a, b map[string]bool) float64 {
	common := 0
	for member := range a {
		if b[member] {
			common++
		}
	}
	return float64(common) / float64(max(1, len(a)))
}

// likeness is how much of two sets is common to both: 0 to 1.
func likeness(a, b map[string]bool) float64 {
	common := overlap(a, b) * float64(len(a))
	return common / max(1, float64(len(a)+len(b))-common)
}

// idf is how much a word tells: the fewer sections have it, the more; most if none has.
func (x *index) idf(word string) float64 {
	n, df := float64(len(x.sections)), float64(len(x.postings[word]))
	return math.Log(1 + (n-df+0.5)/(df+0.5))
}

// hit is a section that a query found.
type hit struct {
	section int
	// score is the section's BM25 value divided by the highest that any section
	// could have, and what likeness to the question adds: 0 to 1.5.
	score float64
	// coverage is the share of the query's words that stand in the section, each
	// counted by how much it tells: 0 to 1.
	coverage float64
	// evidence is how much the words found tell, measured in words that no other
	// section has. A question of one common word has little of it.
	evidence float64
	// words is how many of the query's words were found; a weak one is half a word.
	words float64
}

// find returns the sections that share a word with the query, best first.
func (x *index) find(query string) []hit {
	hits := map[int]*hit{}
	var total float64
	for _, asked := range x.query(query) {
		total += asked.idf
		for section, found := range x.matches(asked) {
			h := hits[section]
			if h == nil {
				h = &hit{section: section}
				hits[section] = h
			}
			h.score += asked.idf * found.effect
			h.coverage += asked.idf * found.share
			if asked.weak {
				h.words += 0.5
			} else {
				h.words++
			}
		}
	}
	asked, terms, pairs := setOf(bare(query)), setOf(strings.Join(words(query), " ")), neighbours(words(query))
	all := make([]hit, 0, len(hits))
	for _, h := range hits {
		h.evidence = h.score / x.idf("")
		h.score /= total
		alike := likenessShare * likeness(asked, x.headings[h.section])
		h.evidence += alike
		h.score += alike + aboutShare*overlap(x.topics[h.section], terms) + nearShare*overlap(pairs, x.pairs[h.section])
		h.coverage /= total
		all = append(all, *h)
	}
	slices.SortFunc(all, func(a, b hit) int {
		return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(a.section, b.section))
	})
	return all
}

// asked is a word of a query: the words of articles that may stand for it, each
// with the share of the effect that it has.
type asked struct {
	variants map[string]float64
	idf      float64
	weak     bool
}

type match struct{ effect, share float64 }

// matches are the sections with a variant of the word; the best one counts.
func (x *index) matches(a asked) map[int]match {
	found := map[int]match{}
	for variant, share := range a.variants {
		for _, p := range x.postings[variant] {
			m := found[p.section]
			m.effect = max(m.effect, share*p.weight/(p.weight+saturation))
			m.share = max(m.share, share)
			found[p.section] = m
		}
	}
	return found
}
