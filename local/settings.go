package main

import (
	"fmt"
	"strconv"
	"strings"

	"parley/local/bundle"
	"parley/shared/agent/provider"
)

// folder keeps the data, below where Parley is started.
const folder = ".parley"

// standardPort is the page's where PORT says nothing.
const standardPort = 3000

// settings reads an environment. The error names the variable at fault.
func settings(getenv func(string) string) (bundle.Config, error) {
	c := bundle.Config{Folder: folder, Host: getenv("HOST"), Port: standardPort}
	if text := getenv("PORT"); text != "" {
		port, err := strconv.Atoi(text)
		if err != nil || port < 0 || port > bundle.MaxPort {
			return c, fmt.Errorf("PORT=%s is no port: it is a number from 1 to %d, or 0 for any that is free", text, bundle.MaxPort)
		}
		c.Port = port
	}
	switch text := getenv("RESET"); text {
	case "", "0":
	case "1":
		c.Reset = true
	default:
		return c, fmt.Errorf("RESET=%s means nothing: 1 begins with an empty %s", text, folder)
	}
	c.Agent = bundle.Agent{Provider: getenv("AGENT"), Model: getenv("MODEL"),
		Key: getenv("OPENAI_API_KEY"), BaseURL: getenv("OPENAI_BASE_URL")}
	c.Secret = func(name string) string { return getenv(secretVariable(name)) }
	if c.Agent.Provider == "" {
		c.Agent.Provider = provider.Docs
	}
	return c, nil
}

// secretVariable is the variable that holds a secret of actions:
// ACTION_SECRET_SHOP_TOKEN for shop-token.
func secretVariable(name string) string {
	return "ACTION_SECRET_" + strings.ToUpper(strings.NewReplacer("-", "_", ".", "_").Replace(name))
}
