// reader asks for captures through cloudflare-go and prints what a user of it would find.
//
//	CLOUDFLARE_BASE_URL=… CLOUDFLARE_API_TOKEN=… reader < "ACCOUNT_ID PCAP_ID TIMEOUT" lines > JSON lines
//
// TIMEOUT is as time.ParseDuration has it.
//
//	reader types
//
// prints the fields of an answer with their types, as JSON.
//
//	reader methods
//	reader calls < JSON lines > JSON lines
//
// print the names of all methods there are for captures, and call them: see methods.go.
//
// One line comes out for each line that goes in: {"capture": …}, {"error": …} or {"panic": "…"}. A call is
// made once: retries are off.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"reflect"
	"strings"
	"time"

	"github.com/cloudflare/cloudflare-go/v7"
	"github.com/cloudflare/cloudflare-go/v7/magic_transit"
	"github.com/cloudflare/cloudflare-go/v7/option"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "reader:", err)
		os.Exit(1)
	}
}

func run() error {
	asked := ""
	if len(os.Args) > 1 {
		asked = os.Args[1]
	}
	switch asked {
	case "types":
		return json.NewEncoder(os.Stdout).Encode(types(reflect.TypeOf(magic_transit.PCAPGetResponse{})))
	case "methods":
		return json.NewEncoder(os.Stdout).Encode(methods(reflect.TypeOf(&magic_transit.PCAPService{})))
	}
	pcaps := magic_transit.NewPCAPService(
		option.WithBaseURL(os.Getenv("CLOUDFLARE_BASE_URL")),
		option.WithAPIToken(os.Getenv("CLOUDFLARE_API_TOKEN")),
		option.WithHTTPClient(&http.Client{}),
		option.WithMaxRetries(0),
	)
	if asked == "calls" {
		return calls(pcaps)
	}
	out := bufio.NewWriter(os.Stdout)
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		if len(words) != 3 {
			return fmt.Errorf("not ACCOUNT_ID PCAP_ID TIMEOUT: %q", lines.Text())
		}
		timeout, err := time.ParseDuration(words[2])
		if err != nil {
			return err
		}
		line, err := json.Marshal(ask(pcaps, words[0], words[1], timeout))
		if err != nil {
			return err
		}
		out.Write(append(line, '\n'))
	}
	if err := lines.Err(); err != nil {
		return err
	}
	return out.Flush()
}

func ask(pcaps *magic_transit.PCAPService, account, pcap string, timeout time.Duration) (said map[string]any) {
	defer func() {
		if cause := recover(); cause != nil {
			said = map[string]any{"panic": fmt.Sprint(cause)}
		}
	}()
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	response, err := pcaps.Get(ctx, pcap, magic_transit.PCAPGetParams{AccountID: cloudflare.F(account)})
	if err != nil {
		return map[string]any{"error": described(err)}
	}
	return map[string]any{"capture": capture(*response, response.AsUnion())}
}

func typeName(union any) string {
	if union == nil {
		return ""
	}
	return reflect.TypeOf(union).Name()
}

// described: an API error with its status and list of errors, any other by its type.
func described(err error) map[string]any {
	var api *magic_transit.Error
	if !errors.As(err, &api) {
		return map[string]any{"type": fmt.Sprintf("%T", err), "text": err.Error()}
	}
	list := []any{}
	for _, one := range api.Errors {
		list = append(list, apart(reflect.ValueOf(one)))
	}
	return map[string]any{
		"type":       fmt.Sprintf("%T", err),
		"status":     api.StatusCode,
		"errors":     list,
		"retryAfter": api.Response.Header.Get("Retry-After"),
		"text":       err.Error(),
	}
}

// types: by a field's JSON name its type, that of a package of the SDK without the package.
func types(of reflect.Type) map[string]any {
	found := map[string]any{}
	for i := range of.NumField() {
		one := of.Field(i)
		name := one.Tag.Get("json")
		if name == "" || name == "-" {
			continue
		}
		found[name] = strings.TrimPrefix(one.Type.String(), "magic_transit.")
		if one.Type == reflect.TypeOf(magic_transit.PCAPFilter{}) {
			for inner, kind := range types(one.Type) {
				found[name+"."+inner] = kind
			}
		}
	}
	return found
}

// field is what the SDK's `JSON` metadata has about a field of the answer.
type field interface {
	IsMissing() bool
	IsNull() bool
	IsInvalid() bool
	Raw() string
}

// apart takes one of the SDK's structs apart: each documented field under its JSON name, with its typed value
// and what the metadata says of it; and the others, raw.
func apart(value reflect.Value) map[string]any {
	fields := map[string]any{}
	metadata := value.FieldByName("JSON")
	for i := range value.NumField() {
		name := value.Type().Field(i).Tag.Get("json")
		if name == "" || name == "-" {
			continue
		}
		about := metadata.FieldByName(value.Type().Field(i).Name).Interface().(field)
		fields[name] = map[string]any{
			"state": state(about),
			"raw":   about.Raw(),
			"value": plain(value.Field(i)),
		}
	}
	extra := map[string]any{}
	for _, name := range metadata.FieldByName("ExtraFields").MapKeys() {
		about := metadata.FieldByName("ExtraFields").MapIndex(name).Interface().(field)
		extra[name.String()] = about.Raw()
	}
	return map[string]any{"fields": fields, "extra": extra}
}

func state(about field) string {
	switch {
	case about.IsMissing():
		return "missing"
	case about.IsNull():
		return "null"
	case about.IsInvalid():
		return "invalid"
	default:
		return "valid"
	}
}

// plain: numbers as text, so that no digit is lost on the way; a time as seconds and nanoseconds since 1970.
func plain(value reflect.Value) any {
	if when, is := value.Interface().(time.Time); is {
		_, offset := when.Zone()
		return map[string]any{"seconds": fmt.Sprint(when.Unix()), "nanos": when.Nanosecond(), "offset": offset}
	}
	switch value.Kind() {
	case reflect.String:
		return value.String()
	case reflect.Struct:
		return apart(value)
	default:
		return fmt.Sprint(value.Interface())
	}
}
