package dra

import (
	"slices"

	resourcev1 "k8s.io/api/resource/v1"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/coracle-k8s/coracle/apis/rule"
)

// deviceID names an allocated device, or a share of one.
type deviceID struct{ driver, pool, device, share string }

func idOf(driver, pool, device string, share *string) deviceID {
	id := deviceID{driver, pool, device, ""}
	if share != nil {
		id.share = *share
	}
	return id
}

func allocated(c *resourcev1.ResourceClaim) (all []deviceID) {
	if c.Status.Allocation == nil {
		return nil
	}
	for _, r := range c.Status.Allocation.Devices.Results {
		all = append(all, idOf(r.Driver, r.Pool, r.Device, (*string)(r.ShareID)))
	}
	return all
}

// DropDeallocated forgets the status of devices that the claim had and has no more.
func DropDeallocated(c, old *resourcev1.ResourceClaim) {
	have, had := allocated(c), allocated(old)
	c.Status.Devices = slices.DeleteFunc(c.Status.Devices, func(d resourcev1.AllocatedDeviceStatus) bool {
		id := idOf(d.Driver, d.Pool, d.Device, d.ShareID)
		return slices.Contains(had, id) && !slices.Contains(have, id)
	})
	if len(c.Status.Devices) == 0 {
		c.Status.Devices = nil
	}
}

// AdminAllocated is the path of the first allocated device that others may use, nil if there is none.
func AdminAllocated(c *resourcev1.ResourceClaim) *field.Path {
	if c.Status.Allocation == nil {
		return nil
	}
	for i, r := range c.Status.Allocation.Devices.Results {
		if isTrue(r.AdminAccess) {
			return field.NewPath("status", "allocation", "devices", "results").Index(i).Child("adminAccess")
		}
	}
	return nil
}

// ValidateClaimStatus checks who has the claim, and what it got.
func ValidateClaimStatus(c, old *resourcev1.ResourceClaim) field.ErrorList {
	at, s := field.NewPath("status"), &c.Status
	errs := eachOnce(s.ReservedFor, resourcev1.ResourceClaimReservedForMaxSize, validateConsumer,
		func(r *resourcev1.ResourceClaimConsumerReference) string { return string(r.UID) }, at.Child("reservedFor"))
	have := allocated(c)
	errs = append(errs, eachOnce(s.Devices, len(s.Devices), func(d *resourcev1.AllocatedDeviceStatus, at *field.Path) field.ErrorList {
		return validateDeviceStatus(d, have, at)
	}, func(d *resourcev1.AllocatedDeviceStatus) deviceID { return idOf(d.Driver, d.Pool, d.Device, d.ShareID) }, at.Child("devices"))...)
	if reserved := at.Child("reservedFor"); len(s.ReservedFor) > 0 && s.Allocation == nil {
		errs = append(errs, field.Forbidden(reserved, "may not be specified when `allocated` is not set"))
	} else if c.DeletionTimestamp != nil && slices.ContainsFunc(s.ReservedFor, func(r resourcev1.ResourceClaimConsumerReference) bool {
		return !slices.Contains(old.Status.ReservedFor, r)
	}) {
		errs = append(errs, field.Forbidden(reserved, "new entries may not be added while `deallocationRequested` or `deletionTimestamp` are set"))
	}
	switch allocation := at.Child("allocation"); {
	case s.Allocation != nil && old.Status.Allocation != nil:
		errs = append(errs, rule.Immutable(s.Allocation, old.Status.Allocation, allocation)...)
	case s.Allocation != nil:
		errs = append(errs, validateAllocation(s.Allocation, requestsOf(&c.Spec.Devices), allocation)...)
	}
	return errs
}

func validateConsumer(r *resourcev1.ResourceClaimConsumerReference, at *field.Path) (errs field.ErrorList) {
	for name, value := range map[string]string{"resource": r.Resource, "name": r.Name, "uid": string(r.UID)} {
		if value == "" {
			errs = append(errs, field.Required(at.Child(name), ""))
		}
	}
	return errs
}

func validateAllocation(a *resourcev1.AllocationResult, names requests, at *field.Path) field.ErrorList {
	at = at.Child("devices")
	errs := each(a.Devices.Results, resourcev1.AllocationResultsMaxSize, func(r *resourcev1.DeviceRequestAllocationResult, at *field.Path) field.ErrorList {
		return slices.Concat(
			names.validate(&r.Request, at.Child("request")), rule.DriverNameOfAnyCase(r.Driver, at.Child("driver")),
			validatePool(r.Pool, at.Child("pool")), rule.DNSLabel(r.Device, at.Child("device")),
			validateBinding(r.BindingConditions, r.BindingFailureConditions, at),
		)
	}, at.Child("results"))
	return append(errs, each(a.Devices.Config, 2*resourcev1.DeviceConfigMaxSize, func(c *resourcev1.DeviceAllocationConfiguration, at *field.Path) field.ErrorList {
		return slices.Concat(
			rule.RequiredOneOf(c.Source, at.Child("source"), resourcev1.AllocationConfigSourceClaim, resourcev1.AllocationConfigSourceClass),
			names.list(c.Requests, at.Child("requests")), validateConfiguration(&c.DeviceConfiguration, false, at),
		)
	}, at.Child("config"))...)
}

func validateDeviceStatus(d *resourcev1.AllocatedDeviceStatus, have []deviceID, at *field.Path) field.ErrorList {
	errs := slices.Concat(rule.DriverName(d.Driver, at.Child("driver")), validatePool(d.Pool, at.Child("pool")), rule.DNSLabel(d.Device, at.Child("device")))
	if id := idOf(d.Driver, d.Pool, d.Device, d.ShareID); !slices.Contains(have, id) {
		errs = append(errs, field.Invalid(at, id, "must be an allocated device in the claim"))
	}
	if n, most := len(d.Conditions), resourcev1.AllocatedDeviceStatusMaxConditions; n > most {
		errs = append(errs, field.TooMany(at.Child("conditions"), n, most))
	}
	errs = append(errs, metav1validation.ValidateConditions(d.Conditions, at.Child("conditions"))...)
	if d.Data != nil && len(d.Data.Raw) > 0 {
		errs = append(errs, validateObject(*d.Data, false, resourcev1.AllocatedDeviceStatusDataMaxLength, at.Child("data"))...)
	}
	return append(errs, validateNetworkData(d.NetworkData, at.Child("networkData"))...)
}

func validateNetworkData(n *resourcev1.NetworkDeviceData, at *field.Path) (errs field.ErrorList) {
	if n == nil {
		return nil
	}
	if most := resourcev1.NetworkDeviceDataInterfaceNameMaxLength; len(n.InterfaceName) > most {
		errs = append(errs, field.TooLong(at.Child("interfaceName"), "", most))
	}
	if most := resourcev1.NetworkDeviceDataHardwareAddressMaxLength; len(n.HardwareAddress) > most {
		errs = append(errs, field.TooLong(at.Child("hardwareAddress"), "", most))
	}
	return append(errs, eachOnce(n.IPs, resourcev1.NetworkDeviceDataMaxIPs, func(address *string, at *field.Path) field.ErrorList {
		return validation.IsValidInterfaceAddress(at, *address)
	}, itself, at.Child("ips"))...)
}
