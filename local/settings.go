package main

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"parley/local/bundle"
	"parley/shared/agent/provider"
	"parley/shared/mail"
	"parley/shared/mail/smtpmail"
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
	c.Secret = func(name string) string { return getenv(secretVariable("ACTION", name)) }
	c.NotifySecret = func(name string) string { return getenv(secretVariable("NOTIFY", name)) }
	if c.Agent.Provider == "" {
		c.Agent.Provider = provider.Docs
	}
	err := mailSettings(getenv, &c)
	return c, err
}

// mailSettings reads who takes mails and whose they are.
func mailSettings(getenv func(string) string, c *bundle.Config) error {
	address := getenv("SMTP_URL")
	if address == "" {
		return nil
	}
	server, err := smtpmail.Parse(address)
	if err != nil {
		return fmt.Errorf("SMTP_URL: %w", err)
	}
	c.Mail, c.MailFrom = server.Send, cmp.Or(getenv("MAIL_FROM"), "parley@localhost")
	if err := mail.CheckEmail(c.MailFrom); err != nil {
		return fmt.Errorf("MAIL_FROM=%s: %w", c.MailFrom, err)
	}
	return nil
}

// secretVariable is the variable that holds a secret of actions, or of "NOTIFY":
// ACTION_SECRET_SHOP_TOKEN for shop-token.
func secretVariable(of, name string) string {
	return of + "_SECRET_" + strings.ToUpper(strings.NewReplacer("-", "_", ".", "_").Replace(name))
}
