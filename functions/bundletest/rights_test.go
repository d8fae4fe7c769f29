package bundletest

import (
	"bytes"
	"encoding/json"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httputil"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// statement is one of a role's, as far as it is about the table.
type statement struct{ actions, resources, leading, attributes []string }

// access is one use of a right: of an item's partition, or of an index.
type access struct {
	action, resource, key string
	attributes            []string
}

// tableARN stands for the table in rights.
const tableARN = "arn:table"

// rights are a function's: those of its policies, own and shared, or of its role.
func (tp *template) rights(name string) (all []statement) {
	tp.t.Helper()
	collect := func(policy *yaml.Node) {
		for _, n := range at(policy, "Statement").Content {
			if n.Tag == "!If" || at(n, "Condition", "StringEquals") != nil {
				continue // none of them is about the table
			}
			condition := at(n, "Condition")
			all = append(all, statement{tp.texts(at(n, "Action")), tp.texts(at(n, "Resource")),
				tp.texts(at(condition, "ForAllValues:StringLike", "dynamodb:LeadingKeys")),
				tp.texts(at(condition, "ForAllValues:StringEquals", "dynamodb:Attributes"))})
		}
	}
	resources := at(tp.doc, "Resources")
	if role := tp.property(name, "Role"); role != nil {
		for _, policy := range at(resources, strings.TrimSuffix(role.Value, ".Arn"), "Properties", "Policies").Content {
			collect(at(policy, "PolicyDocument"))
		}
		return all
	}
	for _, policy := range tp.property(name, "Policies").Content {
		if policy.Tag == "!Ref" {
			policy = at(resources, policy.Value, "Properties", "PolicyDocument")
		}
		collect(policy)
	}
	return all
}

// texts is one text or a list; resources of other services stay as they are written.
func (tp *template) texts(n *yaml.Node) (all []string) {
	switch {
	case n == nil:
	case n.Kind == yaml.SequenceNode && n.Tag == "!!seq":
		for _, c := range n.Content {
			all = append(all, tp.texts(c)...)
		}
	default:
		all = append(all, strings.NewReplacer("${Table.Arn}", tableARN, "Table.Arn", tableARN).Replace(n.Value))
	}
	return all
}

// allows is what IAM decides, for a set of rights without a refusal.
func allows(rights []statement, a access) bool {
	return slices.ContainsFunc(rights, func(s statement) bool {
		return slices.Contains(s.actions, "dynamodb:"+a.action) && slices.Contains(s.resources, a.resource) &&
			(s.leading == nil || slices.ContainsFunc(s.leading, func(p string) bool { return like(p, a.key) })) &&
			(s.attributes == nil || !slices.ContainsFunc(a.attributes, func(name string) bool { return !slices.Contains(s.attributes, name) }))
	})
}

func like(pattern, s string) bool {
	return regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(pattern), `\*`, ".*") + "$").MatchString(s)
}

// item is a key, or a whole item, in DynamoDB's notation.
type item map[string]map[string]any

// part is a request, or one of a transaction.
type part struct {
	Key, Item                item
	IndexName                string
	ExpressionAttributeNames map[string]string
}

func (p part) access(action string) access {
	a := access{action: action, resource: tableARN, attributes: slices.Collect(maps.Values(p.ExpressionAttributeNames))}
	if p.IndexName != "" {
		a.resource += "/index/" + p.IndexName
	}
	for _, of := range []item{p.Key, p.Item} {
		if pk, ok := of["pk"]["S"].(string); ok {
			a.key = pk
		}
		a.attributes = append(a.attributes, slices.Collect(maps.Keys(of))...)
	}
	return a
}

// accesses are the rights that a request needs: of a transaction those of its parts.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis-iam.html
func accesses(operation string, body []byte) (all []access, err error) {
	var r struct {
		part
		RequestItems  map[string]struct{ Keys []item }
		TransactItems []map[string]part
	}
	if err := json.Unmarshal(body, &r); err != nil {
		return nil, err
	}
	switch operation {
	case "TransactWriteItems":
		for _, one := range r.TransactItems {
			for kind, p := range one { // Put, Update, Delete or ConditionCheck
				all = append(all, p.access(kind+"Item"))
			}
		}
	case "BatchGetItem":
		for _, of := range r.RequestItems {
			for _, k := range of.Keys {
				all = append(all, part{Key: k}.access(operation))
			}
		}
	default:
		all = append(all, r.access(operation))
	}
	return all, nil
}

// guard stands between a function and DynamoDB Local, which asks for no rights, and lets
// through what the function's role may do in the template. It returns its address.
func (s *stack) guard(name, table string) string {
	s.t.Helper()
	rights := s.template.rights(name)
	target, err := url.Parse(table)
	if err != nil {
		s.t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{
		Rewrite:  func(r *httputil.ProxyRequest) { r.SetURL(target) },
		ErrorLog: log.New(io.Discard, "", 0), // of functions that were killed
	}
	server, address := listen(s.t)
	run(server, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // the function was killed
		}
		_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
		all, err := accesses(operation, body)
		if err != nil {
			s.t.Errorf("%s sends %s: %v", name, operation, err)
		}
		for _, a := range all {
			if !allows(rights, a) {
				s.t.Errorf("the role of %s does not allow %+v", name, a)
				w.WriteHeader(http.StatusBadRequest)
				io.WriteString(w, `{"__type":"com.amazon.coral.service#AccessDeniedException","Message":"the role does not allow it"}`)
				return
			}
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		proxy.ServeHTTP(w, r)
	}))
	return address
}
