package docs_test

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var link = regexp.MustCompile(`\[[^\]]*\]\(([^)\s]+)\)`)

// Links lead to pages, headings and files that exist.
func TestLinksResolve(t *testing.T) {
	known := anchors(t)
	for _, a := range pages(t) {
		text := strings.Join(a.prose, "\n") // a link's text may run over a line
		for _, m := range link.FindAllStringSubmatchIndex(text, -1) {
			line := strings.Count(text[:m[0]], "\n") + 1
			target := text[m[2]:m[3]]
			if strings.Contains(target, "://") {
				continue
			}
			file, anchor, _ := strings.Cut(target, "#")
			if file == "" {
				file = path.Base(a.name)
			}
			file = path.Join(path.Dir(a.name), file)
			headings, isPage := known[strings.TrimPrefix(file, "../docs/")]
			if _, err := os.Stat(file); err != nil {
				t.Errorf("%s: %s does not exist", a.at(line), target)
			} else if isPage && !headings[anchor] || !isPage && anchor != "" {
				t.Errorf("%s: %s has no such heading", a.at(line), target)
			}
			if isArticle := !strings.Contains(a.name, "/"); isArticle && strings.Contains(file, "/") {
				t.Errorf("%s: %s leads out of the articles, which are served without the rest", a.at(line), target)
			}
			if strings.HasPrefix(file, "../..") {
				t.Errorf("%s: %s leads out of the repository", a.at(line), target)
			}
		}
	}
}

// outside are the beginnings of paths that only some machine has.
var outside = regexp.MustCompile(`(?:^|[\s"'(=` + "`" + `])(?:\.\./|~/[.]|/(?:work|tmp|home|root|Users|mnt|var)/)`)

func TestNothingPointsOutOfTheRepository(t *testing.T) {
	for _, a := range pages(t) {
		lines := a.prose
		for _, f := range a.fences {
			lines = append(lines, strings.Split(f.text, "\n")...)
		}
		for _, line := range lines {
			if outside.MatchString(link.ReplaceAllString(line, "")) { // links are followed above
				t.Errorf("%s names a path outside of the repository: %s", a.name, line)
			}
		}
	}
}

// inside are code spans that name something of the repository.
var inside = regexp.MustCompile(`^(?:(?:\.ci|docs|functions|local|shared)(?:/[\w./-]*)?|template\.yaml|samconfig\.toml|Makefile)$`)

func TestFilesThatArePointedToExist(t *testing.T) {
	found := 0
	for _, a := range pages(t) {
		for n, line := range a.prose {
			for _, span := range spans(line) {
				if !inside.MatchString(span) || span == "docs" || span == "local" {
					continue
				}
				found++
				if _, err := os.Stat(filepath.Join("..", filepath.FromSlash(span))); err != nil {
					t.Errorf("%s: %s does not exist", a.at(n+1), span)
				}
			}
		}
	}
	if found < 10 {
		t.Errorf("only %d files are pointed to: the pattern finds too few", found)
	}
}
