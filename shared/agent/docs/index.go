package docs

import (
	"cmp"
	"math"
	"slices"
	"strings"
)

// How sections are ranked: by BM25 over three fields, whose weighted frequencies
// are added before saturation (BM25F; Robertson, Zaragoza and Taylor, 2004).
// Something is added where words are neighbours as in the question, and for a
// heading worded like it. The numbers are tuned on the questions in testdata and
// on those asked of Parley's own documentation.
const (
	// saturation (k1) is the weighted frequency at which a word has half its effect.
	saturation = 0.9
	// titleWeight is for words in the article's title and in the headings above.
	titleWeight = 0.8
	// headingWeight is for words in the section's heading and its keywords. The
	// heading of an article's beginning is the title.
	headingWeight = 3.0
	// lengthEffect (b) is how much less a word counts in a longer text.
	lengthEffect = 0.5
	// A word that was found by a synonym, or in another spelling, counts this much
	// of a direct match.
	synonymShare  = 0.6
	spellingShare = 0.8
	// unknownShare is the share of a word's full weight that a word of the
	// question counts if no article contains it. The question may be about
	// something else, or only worded differently. An unknown name counts in full.
	unknownShare = 0.6
	// likenessShare is added for a heading with exactly the words of the question,
	// aboutShare for a heading that contains nothing else than words of the
	// question, and nearShare if all neighbouring words of the question are
	// neighbours in the section. Partial matches add their part of it.
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

// posting says that a section contains a word, with its weighted frequency.
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
		heading := cmp.Or(s.heading, s.title)
		weights := map[string]float64{}
		thinning := 1 - lengthEffect + lengthEffect*float64(len(bodies[i]))/max(1, average)
		for _, word := range bodies[i] {
			weights[word] += 1 / thinning
		}
		for word := range setOf(strings.Join(words(s.title+" "+s.topics+" "+strings.Join(s.path, " ")), " ")) {
			weights[word] += titleWeight
		}
		for word := range setOf(strings.Join(words(heading+" "+s.keywords), " ")) {
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

// neighbours returns the pairs of words that follow each other in a text.
func neighbours(texts ...[]string) map[string]bool {
	pairs := map[string]bool{}
	for _, words := range texts {
		for i := range len(words) - 1 {
			pairs[words[i]+" "+words[i+1]] = true
		}
	}
	return pairs
}

// overlap is the share of a's members that are also in b.
func overlap(a, b map[string]bool) float64 {
	common := 0
	for member := range a {
		if b[member] {
			common++
		}
	}
	return float64(common) / float64(max(1, len(a)))
}

// likeness is the size of the intersection divided by that of the union
// (Jaccard): 0 to 1.
func likeness(a, b map[string]bool) float64 {
	common := overlap(a, b) * float64(len(a))
	return common / max(1, float64(len(a)+len(b))-common)
}

// idf is the inverse document frequency of a word: the fewer sections contain
// it, the more it says about a question. It is highest for a word that none
// contains.
func (x *index) idf(word string) float64 {
	n, df := float64(len(x.sections)), float64(len(x.postings[word]))
	return math.Log(1 + (n-df+0.5)/(df+0.5))
}

// hit is a section that a query found.
type hit struct {
	section int
	// score is the section's BM25 value divided by the highest possible, plus what
	// likeness to the question adds: 0 to 1.5.
	score float64
	// coverage is the share of the query's words that the section contains,
	// weighted by idf: 0 to 1.
	coverage float64
	// evidence is the total weight of the words found, in units of a word that no
	// section contains. A question of one common word has little evidence.
	evidence float64
	// words is how many of the query's words were found; a weak word counts half.
	words float64
}

// find returns the sections that share a word with the query, best first.
func (x *index) find(query string) []hit {
	hits := map[int]*hit{}
	var total float64
	for _, term := range x.query(query) {
		total += term.idf
		for section, found := range x.matches(term) {
			h := hits[section]
			if h == nil {
				h = &hit{section: section}
				hits[section] = h
			}
			h.score += term.idf * found.effect
			h.coverage += term.idf * found.share
			if term.weak {
				h.words += 0.5
			} else {
				h.words++
			}
		}
	}
	queryWords, terms, pairs := setOf(bare(query)), setOf(strings.Join(words(query), " ")), neighbours(words(query))
	all := make([]hit, 0, len(hits))
	for _, h := range hits {
		h.evidence = h.score / x.idf("")
		h.score /= total
		alike := likenessShare * likeness(queryWords, x.headings[h.section])
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

// queryTerm is a word of a query. Its variants are the words of articles that
// may stand for it, each with the share of its weight that a match has.
type queryTerm struct {
	variants map[string]float64
	idf      float64
	weak     bool
}

type match struct{ effect, share float64 }

// matches returns the sections that contain a variant of the word, with the best
// match of each.
func (x *index) matches(a queryTerm) map[int]match {
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
