package bundletest

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"parley/functions/chathub"
	"parley/functions/chathub/chathubtest"
	"parley/functions/cossistant/cossistanttest"
	"parley/functions/cossistant/shape"
	"parley/functions/hissuno/hissunotest"
	"parley/functions/opencx/opencxtest"
	"parley/local/gateway"
	"parley/local/gateway/gatewaytest"
	"parley/shared/api"
	"parley/shared/api/apitest"
	"parley/shared/awstest"
	"parley/shared/bucket"
	"parley/shared/lambdatest"
	"parley/shared/live"
	"parley/shared/parley"
	"parley/shared/table"
	"parley/shared/table/dynamo"
	"parley/shared/token"
)

// front is how clients reach the functions of a stack.
type front int

const (
	functionURLs front = iota // each at a URL of its own, which streams
	httpAPI                   // all at one address, which answers whole
	distribution              // all at one address, past which nobody gets
)

// ARNs of what is secret. The agent's key may be at either place.
const (
	masterARN    = "arn:aws:secretsmanager:us-east-1:123456789012:secret:Master-AbCdEf"
	originARN    = "arn:aws:secretsmanager:us-east-1:123456789012:secret:Origin-AbCdEf"
	keyARN       = "arn:aws:secretsmanager:us-east-1:123456789012:secret:Key-AbCdEf"
	parameterARN = "arn:aws:ssm:us-east-1:123456789012:parameter/key"
)

// stack is everything that template.yaml makes, with local servers for AWS.
type stack struct {
	t        *testing.T
	template *template
	// sweepSaid is how much of the sweep's log was read, in bytes.
	sweepSaid int
	// aws is what the functions' environment has besides the template's: where
	// the local servers are, and the keys that sign for them.
	aws       map[string]string
	keys      aws.Credentials
	vault     vault
	functions map[string]*lambdatest.Function
	urls      api.URLs
	addresses map[string]string // of the functions that have one, by name
	// sockets is where the WebSocket APIs are, and gateways what they do, by name.
	sockets  map[string]*gatewaytest.Address
	gateways map[string]*gateway.API

	// What a test does to the same table and bucket.
	table  *dynamo.Table
	store  *parley.Store
	master string
	model  *apitest.ModelServer
}

// deploy starts a stack whose agent is the scripted model.
func deploy(t *testing.T, f front) *stack {
	t.Helper()
	s := &stack{t: t, table: awstest.StreamedTable(t, time.Now), functions: map[string]*lambdatest.Function{}, model: apitest.NewModelServer(t)}
	s.template = readTemplate(t, map[string]string{"AWS::StackName": "parley", "Table": s.table.Name()})
	s.aws = map[string]string{"AWS_ENDPOINT_URL_DYNAMODB": aws.ToString(awstest.DynamoDB(t).Options().BaseEndpoint)}
	s.master = rand.Text() + rand.Text()
	s.buckets()
	s.secrets()
	s.agent(f)
	s.serve(f)
	return s
}

// long skips a test where go test -short wants only the quick ones.
func long(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("takes more than 10 s")
	}
}

func (s *stack) secrets() {
	b, err := json.Marshal(map[string]string{"master": s.master})
	if err != nil {
		s.t.Fatal(err)
	}
	s.vault = vault{masterARN: string(b), keyARN: rand.Text(), parameterARN: rand.Text(), originARN: `{"origin":"` + rand.Text() + `"}`}
	for service, variable := range map[string]string{"secretsmanager": "AWS_ENDPOINT_URL_SECRETS_MANAGER", "ssm": "AWS_ENDPOINT_URL_SSM"} {
		server, address := listen(s.t)
		run(server, awstest.Signed(s.t, service, s.keys, s.vault))
		s.aws[variable] = address
	}
	s.template.values["MasterSecret"], s.template.values["OriginSecret"] = masterARN, originARN
}

func (s *stack) buckets() {
	client, name := awstest.S3(s.t)
	var err error
	if s.keys, err = client.Options().Credentials.Retrieve(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
	s.template.values["Bucket"] = name
	s.aws["AWS_ENDPOINT_URL_S3"] = aws.ToString(client.Options().BaseEndpoint)
	s.aws["AWS_ACCESS_KEY_ID"], s.aws["AWS_SECRET_ACCESS_KEY"] = s.keys.AccessKeyID, s.keys.SecretAccessKey
	keys, err := token.New(token.Config{Masters: [][]byte{[]byte(s.master)}})
	if err != nil {
		s.t.Fatal(err)
	}
	s.store, err = parley.New(parley.Config{Table: s.table, Bucket: bucket.New(bucket.Config{Client: client, Name: name}), Derive: keys.Derive})
	if err != nil {
		s.t.Fatal(err)
	}
}

// agent makes the scripted model the agent, behind a door that wants the key.
func (s *stack) agent(f front) {
	arn := map[front]string{functionURLs: keyARN, httpAPI: parameterARN, distribution: keyARN}[f]
	server, address := listen(s.t)
	run(server, locked(s.t, s.model, s.vault[arn]))
	maps.Copy(s.template.values, map[string]string{"AgentProvider": "openai", "AgentModel": "scripted", "AgentBaseURL": address + "/v1", "AgentKeyArn": arn})
}

// serve starts the functions and what stands in front of them.
func (s *stack) serve(f front) {
	servers, addresses := map[string]*httptest.Server{}, map[string]string{}
	front, public := listen(s.t)
	if f == distribution {
		maps.Copy(s.template.values, map[string]string{"WithDistribution": "true", "OnlyThroughDistribution": "true", "Distribution.DomainName": "d1.cloudfront.net"})
	}
	s.listenSockets()
	invoke, invokeAddress := listen(s.t)
	for _, name := range s.template.functions() {
		s.template.values[logicalID(name)] = functionName(name)
		if !s.template.hasURL(name) {
			continue
		}
		servers[name], addresses[name] = listen(s.t)
		s.template.values[logicalID(name)+"Url.FunctionUrl"] = addresses[name] + "/"
		switch f {
		case httpAPI:
			s.template.values["PublicURL"] = public
			fallthrough
		case distribution:
			addresses[name] = public
		}
	}
	s.aws["AWS_ENDPOINT_URL_LAMBDA"] = invokeAddress
	for _, name := range s.template.functions() {
		s.functions[name] = s.start(s.t, name, func(env map[string]string) {
			if f == functionURLs && name == "uploads" {
				// It takes the domain of the event for its own, where nobody listens.
				env["PARLEY_URLS"] = fmt.Sprintf(`{"uploads":%q}`, addresses[name])
			}
			if name == "hooks" || env["PARLEY_ACTION_SECRETS"] != "" {
				env["PARLEY_PRIVATE_HOSTS"] = "allow" // a test's endpoints, and hosts of its actions
			}
		})
	}
	for name, server := range servers {
		run(server, lambdatest.URLHandler(s.functions[name]))
	}
	if f == distribution {
		run(front, s.distribution())
	} else {
		run(front, s.gateway())
	}
	run(invoke, awstest.Signed(s.t, "lambda", s.keys, lambdatest.InvokeAPI(s.functions["respond"], s.functions["hooks"], s.functions["review"], s.functions["push"])))
	s.serveSockets()
	s.addresses = addresses
	b, err := json.Marshal(addresses)
	if err == nil {
		err = json.Unmarshal(b, &s.urls)
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

func functionName(name string) string { return "parley-" + logicalID(name) }

// start returns a function of the stack, besides the one that it has, in an
// environment that change has made another of.
func (s *stack) start(t *testing.T, name string, change func(env map[string]string)) *lambdatest.Function {
	t.Helper()
	env := s.template.environment(name)
	s.rewireSockets(env)
	change(env)
	maps.Copy(env, s.aws)
	env["AWS_ENDPOINT_URL_DYNAMODB"] = s.guard(name, env["AWS_ENDPOINT_URL_DYNAMODB"])
	return lambdatest.Start(t, lambdatest.Config{
		Binary:  lambdatest.Build(t, "parley/functions/"+name+"/bootstrap"),
		Name:    functionName(name),
		Env:     env,
		Timeout: s.template.timeout(name),
		// More than suites call at once on a machine that lags: a connection whose
		// function has none left is refused.
		MaxInstances: 100,
	})
}

// host is the stack as the suite of the native API takes it.
func (s *stack) host(f front) apitest.Host {
	domain := map[front]string{functionURLs: lambdatest.URLDomain, httpAPI: lambdatest.APIDomain}[f]
	return apitest.Host{URLs: s.urls, Operator: s.addresses["operator"], OperatorOrigin: "https://" + domain,
		Store: s.store, Master: s.master, Model: s.model, Dump: s.dump, HTTPAPI: f == httpAPI}
}

// hissuno is the stack as the suite of Hissuno's dialect takes it.
func (s *stack) hissuno(f front) hissunotest.Host {
	return hissunotest.Host{URL: s.addresses["hissuno"], Store: s.store, Master: s.master, Model: s.model, Dump: s.dump, HTTPAPI: f == httpAPI,
		Begun: s.functions["hissuno"].Begun, Restart: func(testing.TB) { s.functions["hissuno"].Kill() }}
}

// cossistant is the stack as the suite of Cossistant's protocol takes it.
func (s *stack) cossistant() cossistanttest.Host {
	return cossistanttest.Host{URL: s.addresses["cossistant"], Store: s.store, Master: s.master, Origin: awstest.Origin}
}

// cossistantSockets is the stack as the suite of its sockets takes it.
func (s *stack) cossistantSockets() cossistanttest.SocketHost {
	return cossistanttest.SocketHost{Host: s.cossistant(), Socket: s.sockets[shape.SocketAPI].Endpoint, Console: s.sockets[live.ConsoleAPI].Endpoint,
		Gateway: func() *gateway.API { return s.gateways[shape.SocketAPI] }, Model: s.model, Dump: s.dump}
}

// openCX is the stack as the suite of OpenCX's protocol takes it.
func (s *stack) openCX(f front) opencxtest.Host {
	return opencxtest.Host{URL: s.addresses["opencx"], Store: s.store, Master: s.master, Model: s.model, Dump: s.dump, HTTPAPI: f == httpAPI}
}

// chatHub is the stack as the suite of the SignalR hub takes it.
func (s *stack) chatHub() chathubtest.Host {
	return chathubtest.Host{Base: s.addresses["chathub"], Socket: s.sockets[chathub.API].Endpoint, Gateway: func() *gateway.API { return s.gateways[chathub.API] },
		Store: s.store, Master: s.master, Model: s.model, Dump: s.dump}
}

// dump returns all items of the table.
func (s *stack) dump(t testing.TB) map[table.Key]table.Item {
	t.Helper()
	all := map[table.Key]table.Item{}
	pages := dynamodb.NewScanPaginator(awstest.DynamoDB(t), &dynamodb.ScanInput{TableName: aws.String(s.table.Name()), ConsistentRead: aws.Bool(true)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, stored := range page.Items {
			item := itemOf(t, stored)
			all[item.Key()] = item
		}
	}
	return all
}

func itemOf(t testing.TB, stored map[string]types.AttributeValue) table.Item {
	t.Helper()
	item := table.Item{}
	for name, v := range stored {
		switch v := v.(type) {
		case *types.AttributeValueMemberS:
			item[name] = v.Value
		case *types.AttributeValueMemberBOOL:
			item[name] = v.Value
		case *types.AttributeValueMemberN:
			n, err := strconv.ParseInt(v.Value, 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			item[name] = n
		default:
			t.Fatalf("attribute %s is a %T", name, v)
		}
	}
	return item
}
