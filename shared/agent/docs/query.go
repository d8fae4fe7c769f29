package docs

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// query returns the words of a question, each once. Two neighbouring words that
// articles write as one ("dynamo db") may each stand for that one.
func (x *index) query(text string) []queryTerm {
	terms, names := words(text), names(text)
	seen := map[string]bool{}
	var all []queryTerm
	for i, term := range terms {
		if seen[term] {
			continue
		}
		seen[term] = true
		var joined []string
		if i > 0 {
			joined = append(joined, terms[i-1]+term)
		}
		if i+1 < len(terms) {
			joined = append(joined, term+terms[i+1])
		}
		a := x.term(term, joined)
		if len(a.variants) == 0 && !a.weak && !names[term] {
			a.idf *= unknownShare
		}
		all = append(all, a)
	}
	return all
}

// names returns the words that have a capital letter but do not begin a
// sentence: mostly names. A name that no article contains is a strong sign that
// the question is about something else.
func names(text string) map[string]bool {
	found := map[string]bool{}
	for _, sentence := range strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(".!?:;\n", r) }) {
		for i, word := range fields(sentence) {
			first, _ := utf8.DecodeRuneInString(word)
			if i > 0 && unicode.IsUpper(first) {
				found[stem(fold(word))] = true
			}
		}
	}
	return found
}

// term looks up a word. One that no article contains has the highest weight, for
// the question is likely to be about something else; but a weak word that none
// contains has no weight.
func (x *index) term(term string, joined []string) queryTerm {
	a := queryTerm{variants: x.variants(term, joined), weak: isWeak(term)}
	for word := range a.variants {
		a.idf = max(a.idf, x.idf(word))
	}
	if len(x.postings[term]) > 0 || len(a.variants) == 0 {
		a.idf = x.idf(term)
	}
	first, _ := utf8.DecodeRuneInString(term)
	switch unknown := len(a.variants) == 0; {
	case a.weak && unknown:
		a.idf = 0
	case a.weak, unknown && withoutSpaces(first): // such a pair is mostly no word
		a.idf *= weakness
	}
	return a
}

// variants returns the word itself, joined words and synonyms, as far as
// articles contain them; if they contain none of these, similarly spelled words.
func (x *index) variants(term string, joined []string) map[string]float64 {
	found := map[string]float64{}
	for _, other := range joined {
		if len(x.postings[other]) > 0 {
			found[other] = 1
		}
	}
	for _, other := range synonyms()[term] {
		if len(x.postings[other]) > 0 {
			found[other] = synonymShare
		}
	}
	if len(x.postings[term]) > 0 {
		found[term] = 1
	}
	if len(found) > 0 {
		return found
	}
	for word := range x.postings {
		if alike(term, word) {
			found[word] = spellingShare
		}
	}
	return found
}

// minAlike is the length from which on one wrong letter is taken for a typing
// mistake: shorter words too often differ from others by one letter.
const minAlike = 5

// alike reports whether two ASCII words differ by one letter that is wrong,
// missing, added, or swapped with the next. The first letter must be right.
func alike(a, b string) bool {
	if len(a) > len(b) {
		a, b = b, a
	}
	if len(a) < minAlike || len(b)-len(a) > 1 || a[0] != b[0] || !isASCII(a) || !isASCII(b) {
		return false
	}
	i := 0
	for i < len(a) && a[i] == b[i] {
		i++
	}
	if len(a) < len(b) {
		return a[i:] == b[i+1:]
	}
	if i >= len(a)-1 {
		return true
	}
	swapped := a[i] == b[i+1] && a[i+1] == b[i] && a[i+2:] == b[i+2:]
	return swapped || a[i+1:] == b[i+1:]
}
