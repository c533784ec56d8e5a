package main

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"reflect"
	"strings"
	"time"

	"github.com/cloudflare/cloudflare-go/v7"
	"github.com/cloudflare/cloudflare-go/v7/magic_transit"
)

// methods: the names of all that a service can do, those of its subordinate services as Service.Method.
func methods(of reflect.Type) []string {
	found := []string{}
	for i := range of.NumMethod() {
		found = append(found, of.Method(i).Name)
	}
	for i := range of.Elem().NumField() {
		part := of.Elem().Field(i)
		if part.Type.Kind() == reflect.Pointer && strings.HasSuffix(part.Type.Elem().Name(), "Service") {
			for _, name := range methods(part.Type) {
				found = append(found, part.Name+"."+name)
			}
		}
	}
	return found
}

// wanted is one call.
type wanted struct {
	Method  string // as methods has it
	Account string
	ID      string         // of the capture or the bucket, for those methods that take one
	Fields  map[string]any // of the request's body, all that there are
}

// calls answers JSON lines of `wanted` with {"result": …} or {"error": …}.
func calls(pcaps *magic_transit.PCAPService) error {
	out := json.NewEncoder(os.Stdout)
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var one wanted
		if err := json.Unmarshal(lines.Bytes(), &one); err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		result, err := call(ctx, pcaps, one)
		cancel()
		said := map[string]any{"result": result}
		if err != nil {
			said = map[string]any{"error": described(err)}
		}
		if err := out.Encode(said); err != nil {
			return err
		}
	}
	return lines.Err()
}

func call(ctx context.Context, pcaps *magic_transit.PCAPService, one wanted) (any, error) {
	account := cloudflare.F(one.Account)
	switch one.Method {
	case "New":
		response, err := pcaps.New(ctx, magic_transit.PCAPNewParams{AccountID: account, Body: body(one.Fields)})
		if err != nil {
			return nil, err
		}
		return capture(*response, response.AsUnion()), nil
	case "Get":
		response, err := pcaps.Get(ctx, one.ID, magic_transit.PCAPGetParams{AccountID: account})
		if err != nil {
			return nil, err
		}
		return capture(*response, response.AsUnion()), nil
	case "List":
		page, err := pcaps.List(ctx, magic_transit.PCAPListParams{AccountID: account})
		if err != nil {
			return nil, err
		}
		captures := []any{}
		for _, each := range page.Result {
			captures = append(captures, capture(each, each.AsUnion()))
		}
		return captures, nil
	case "ListAutoPaging":
		pages := pcaps.ListAutoPaging(ctx, magic_transit.PCAPListParams{AccountID: account})
		captures := []any{}
		for pages.Next() {
			each := pages.Current()
			captures = append(captures, capture(each, each.AsUnion()))
		}
		return captures, pages.Err()
	case "Stop":
		return nil, pcaps.Stop(ctx, one.ID, magic_transit.PCAPStopParams{AccountID: account})
	case "Download.Get":
		response, err := pcaps.Download.Get(ctx, one.ID, magic_transit.PCAPDownloadGetParams{AccountID: account})
		if err != nil {
			return nil, err
		}
		defer response.Body.Close()
		file, err := io.ReadAll(response.Body)
		return base64.StdEncoding.EncodeToString(file), err
	case "Ownership.New":
		ownership, err := pcaps.Ownership.New(ctx, magic_transit.PCAPOwnershipNewParams{
			AccountID:       account,
			DestinationConf: cloudflare.F(one.Fields["destination_conf"].(string)),
		})
		return bucket(ownership), err
	case "Ownership.Validate":
		ownership, err := pcaps.Ownership.Validate(ctx, magic_transit.PCAPOwnershipValidateParams{
			AccountID:          account,
			DestinationConf:    cloudflare.F(one.Fields["destination_conf"].(string)),
			OwnershipChallenge: cloudflare.F(one.Fields["ownership_challenge"].(string)),
		})
		return bucket(ownership), err
	case "Ownership.Get":
		page, err := pcaps.Ownership.Get(ctx, magic_transit.PCAPOwnershipGetParams{AccountID: account})
		if err != nil {
			return nil, err
		}
		buckets := []any{}
		for _, each := range page.Result {
			buckets = append(buckets, bucket(&each))
		}
		return buckets, nil
	case "Ownership.GetAutoPaging":
		pages := pcaps.Ownership.GetAutoPaging(ctx, magic_transit.PCAPOwnershipGetParams{AccountID: account})
		buckets := []any{}
		for pages.Next() {
			each := pages.Current()
			buckets = append(buckets, bucket(&each))
		}
		return buckets, pages.Err()
	case "Ownership.Delete":
		return nil, pcaps.Ownership.Delete(ctx, one.ID, magic_transit.PCAPOwnershipDeleteParams{AccountID: account})
	default:
		return nil, fmt.Errorf("no method that this program knows: %q", one.Method)
	}
}

func body(fields map[string]any) magic_transit.PCAPNewParamsBodyUnion {
	told := fields["filter_v1"].(map[string]any)
	filter := cloudflare.F(magic_transit.PCAPFilterParam{
		SourceAddress:      cloudflare.F(told["source_address"].(string)),
		SourcePort:         cloudflare.F(told["source_port"].(float64)),
		DestinationAddress: cloudflare.F(told["destination_address"].(string)),
		DestinationPort:    cloudflare.F(told["destination_port"].(float64)),
		Protocol:           cloudflare.F(told["protocol"].(float64)),
	})
	if fields["type"] == "simple" {
		offset, err := time.Parse(time.RFC3339Nano, fields["offset_time"].(string))
		if err != nil {
			panic(err)
		}
		return magic_transit.PCAPNewParamsBodyMagicVisibilityPCAPsPCAPsRequestSimple{
			PacketLimit: cloudflare.F(fields["packet_limit"].(float64)),
			System:      cloudflare.F(magic_transit.PCAPNewParamsBodyMagicVisibilityPCAPsPCAPsRequestSimpleSystemMagicTransit),
			TimeLimit:   cloudflare.F(fields["time_limit"].(float64)),
			Type:        cloudflare.F(magic_transit.PCAPNewParamsBodyMagicVisibilityPCAPsPCAPsRequestSimpleTypeSimple),
			FilterV1:    filter,
			OffsetTime:  cloudflare.F(offset),
		}
	}
	return magic_transit.PCAPNewParamsBodyMagicVisibilityPCAPsPCAPsRequestFull{
		ColoName:        cloudflare.F(fields["colo_name"].(string)),
		DestinationConf: cloudflare.F(fields["destination_conf"].(string)),
		System:          cloudflare.F(magic_transit.PCAPNewParamsBodyMagicVisibilityPCAPsPCAPsRequestFullSystemMagicTransit),
		TimeLimit:       cloudflare.F(fields["time_limit"].(float64)),
		Type:            cloudflare.F(magic_transit.PCAPNewParamsBodyMagicVisibilityPCAPsPCAPsRequestFullTypeFull),
		ByteLimit:       cloudflare.F(fields["byte_limit"].(float64)),
		FilterV1:        filter,
		PacketLimit:     cloudflare.F(fields["packet_limit"].(float64)),
	}
}

// capture: what a user of an answer would find in it.
func capture(response, union any) map[string]any {
	return map[string]any{
		// The type that AsUnion gives: "PCAP", "…Full", or "" for none.
		"union": typeName(union),
		"read":  apart(reflect.ValueOf(response)),
	}
}

func bucket(ownership *magic_transit.Ownership) any {
	if ownership == nil {
		return nil
	}
	return apart(reflect.ValueOf(*ownership))
}
