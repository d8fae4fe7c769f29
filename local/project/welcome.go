package main

import (
	_ "embed"
	"io"
	"strings"
	"text/template"

	"parley/functions/chathub"
	"parley/functions/cossistantws"
	"parley/functions/operator"
)

//go:embed welcome.txt
var welcomeText string

// welcome prints the keys of a new project, where its console is, and what to paste
// into pages. The private key and the signing secret are in no line that is for a page.
func welcome(out io.Writer, name string, outputs map[string]string, created operator.Created) error {
	bases := map[string]string{}
	for key, address := range outputs {
		// With a distribution everything is at one address, and perhaps only there.
		if front := outputs["Address"]; front != "" && strings.HasSuffix(key, "URL") {
			address = front
			switch key {
			case "ChathubSocketURL":
				address += chathub.Path
			case "CossistantSocketURL":
				address = "wss" + strings.TrimPrefix(address, "https") + cossistantws.Path
			}
		}
		bases[key] = strings.TrimRight(address, "/")
	}
	page, err := template.New("welcome").Parse(welcomeText)
	if err != nil {
		return err
	}
	return page.Execute(out, struct {
		Stack   string
		At      map[string]string // where what an output names is reached, without a slash at the end
		Keys    operator.Created
		Key     string // the one for pages
		TestKey string
	}{name, bases, created, created.PublicKeys[0], created.PublicKeys[len(created.PublicKeys)-1]})
}
