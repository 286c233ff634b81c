package gridbell

// Columns, traits, triggers and facts by name. Made from wit/registry.toml by `cargo run -p gridbell-contract --example generate`; do not edit.

import "unsafe"

// Column is a column of the registry, for a policy's Columns and for bounds.
type Column struct {
	id   uint16
	kind uint8
	name string
}

// Columns. Customer has a method of the same name for each.
var (
	// What kind of customer it is and what state the account is in. In bits.
	TraitsColumn = Column{1, 2, "traits"}
	// Everything unpaid over all open bills, late fees not included. Positive is owed. In fen.
	Arrears = Column{2, 4, "arrears"}
	// Billing period of the oldest unpaid bill: what a reminder is about. With the step it is the host's key for "not twice". In yyyymm.
	ArrearsPeriod = Column{3, 2, "arrears-period"}
	// First day on which a late fee accrues on the oldest unpaid bill. In date.
	LateFeeFrom = Column{4, 3, "late-fee-from"}
	// How many bills are unpaid. In count.
	MonthsOwed = Column{5, 0, "months-owed"}
	// Highest step of the arrears reminder that was said about `arrears-period`. In step.
	RemindedStep = Column{6, 0, "reminded-step"}
	// Billing period of the latest bill, paid or not. In yyyymm.
	BillPeriod = Column{7, 2, "bill-period"}
	// Day on which the latest bill was issued (电费发行). In date.
	BillIssued = Column{8, 3, "bill-issued"}
	// Amount of the latest bill. In fen.
	BillAmount = Column{9, 4, "bill-amount"}
	// Energy of the latest bill. In kwh.
	BillKwh = Column{10, 2, "bill-kwh"}
	// Highest step of the bill notice that was said about `bill-period`. In step.
	BillSaid = Column{11, 0, "bill-said"}
	// Prepaid balance; negative is overdrawn. In fen.
	Balance = Column{12, 4, "balance"}
	// The day for which `balance` was computed. Only about 99 % of balances are computed on a day. In date.
	BalanceAsOf = Column{13, 3, "balance-as-of"}
	// Balance under which a prepaid customer wants to be warned. In fen.
	Threshold = Column{14, 2, "threshold"}
	// Counts the episodes of a low balance; with the step it is the host's key for "not twice". An episode begins with the first step that is said and ends, whether a run sees it or not, when the balance is at or above the threshold: the customer's own `threshold`, else the policy's parameter named `threshold` (fen) with which the latest step was said, else 3000. So each policy's steps are said once between two times that the balance was enough by its own measure. In count.
	BalanceEpisode = Column{15, 1, "balance-episode"}
	// Highest step of the balance warning that was said in this episode. In step.
	BalanceSaid = Column{16, 0, "balance-said"}
	// Amount of the latest payment; in a run of `payment-received`, of the row's payment. In fen.
	PaidAmount = Column{17, 4, "paid-amount"}
	// Day of the latest payment, which a payment that is entered late does not change; in a run of `payment-received`, of the row's payment. In date.
	PaidOn = Column{18, 3, "paid-on"}
	// The day for which the bills are true. In date.
	ArrearsAsOf = Column{19, 3, "arrears-as-of"}
)

// What a batch carries; columns that a policy does not ask for stay empty.
type columnValues struct {
	v1 []uint32
	v2 []int64
	v3 []uint32
	v4 []int32
	v5 []uint8
	v6 []uint8
	v7 []uint32
	v8 []int32
	v9 []int64
	v10 []uint32
	v11 []uint8
	v12 []int64
	v13 []int32
	v14 []uint32
	v15 []uint16
	v16 []uint8
	v17 []int64
	v18 []int32
	v19 []int32
}

func (v *columnValues) set(id uint16, at unsafe.Pointer, rows int) {
	switch id {
	case 1:
		v.v1 = unsafe.Slice((*uint32)(at), rows)
	case 2:
		v.v2 = unsafe.Slice((*int64)(at), rows)
	case 3:
		v.v3 = unsafe.Slice((*uint32)(at), rows)
	case 4:
		v.v4 = unsafe.Slice((*int32)(at), rows)
	case 5:
		v.v5 = unsafe.Slice((*uint8)(at), rows)
	case 6:
		v.v6 = unsafe.Slice((*uint8)(at), rows)
	case 7:
		v.v7 = unsafe.Slice((*uint32)(at), rows)
	case 8:
		v.v8 = unsafe.Slice((*int32)(at), rows)
	case 9:
		v.v9 = unsafe.Slice((*int64)(at), rows)
	case 10:
		v.v10 = unsafe.Slice((*uint32)(at), rows)
	case 11:
		v.v11 = unsafe.Slice((*uint8)(at), rows)
	case 12:
		v.v12 = unsafe.Slice((*int64)(at), rows)
	case 13:
		v.v13 = unsafe.Slice((*int32)(at), rows)
	case 14:
		v.v14 = unsafe.Slice((*uint32)(at), rows)
	case 15:
		v.v15 = unsafe.Slice((*uint16)(at), rows)
	case 16:
		v.v16 = unsafe.Slice((*uint8)(at), rows)
	case 17:
		v.v17 = unsafe.Slice((*int64)(at), rows)
	case 18:
		v.v18 = unsafe.Slice((*int32)(at), rows)
	case 19:
		v.v19 = unsafe.Slice((*int32)(at), rows)
	}
}

// Customer is one row. A method whose column the policy does not ask for panics.
type Customer struct {
	values *columnValues
	row    int
}

// Traits: What kind of customer it is and what state the account is in.
func (c Customer) Traits() Traits { return Traits(c.values.v1[c.row]) }

// Arrears: Everything unpaid over all open bills, late fees not included. Positive is owed.
func (c Customer) Arrears() Fen { return Fen(c.values.v2[c.row]) }

// ArrearsPeriod: Billing period of the oldest unpaid bill: what a reminder is about. With the step it is the host's key for "not twice".
func (c Customer) ArrearsPeriod() uint32 { return uint32(c.values.v3[c.row]) }

// LateFeeFrom: First day on which a late fee accrues on the oldest unpaid bill.
func (c Customer) LateFeeFrom() Date { return Date(c.values.v4[c.row]) }

// MonthsOwed: How many bills are unpaid.
func (c Customer) MonthsOwed() uint8 { return uint8(c.values.v5[c.row]) }

// RemindedStep: Highest step of the arrears reminder that was said about `arrears-period`.
func (c Customer) RemindedStep() uint8 { return uint8(c.values.v6[c.row]) }

// BillPeriod: Billing period of the latest bill, paid or not.
func (c Customer) BillPeriod() uint32 { return uint32(c.values.v7[c.row]) }

// BillIssued: Day on which the latest bill was issued (电费发行).
func (c Customer) BillIssued() Date { return Date(c.values.v8[c.row]) }

// BillAmount: Amount of the latest bill.
func (c Customer) BillAmount() Fen { return Fen(c.values.v9[c.row]) }

// BillKwh: Energy of the latest bill.
func (c Customer) BillKwh() uint32 { return uint32(c.values.v10[c.row]) }

// BillSaid: Highest step of the bill notice that was said about `bill-period`.
func (c Customer) BillSaid() uint8 { return uint8(c.values.v11[c.row]) }

// Balance: Prepaid balance; negative is overdrawn.
func (c Customer) Balance() Fen { return Fen(c.values.v12[c.row]) }

// BalanceAsOf: The day for which `balance` was computed. Only about 99 % of balances are computed on a day.
func (c Customer) BalanceAsOf() Date { return Date(c.values.v13[c.row]) }

// Threshold: Balance under which a prepaid customer wants to be warned.
// False where there is none.
func (c Customer) Threshold() (Fen, bool) {
	v := int64(c.values.v14[c.row])
	return Fen(v), v != 4294967295
}

// BalanceEpisode: Counts the episodes of a low balance; with the step it is the host's key for "not twice". An episode begins with the first step that is said and ends, whether a run sees it or not, when the balance is at or above the threshold: the customer's own `threshold`, else the policy's parameter named `threshold` (fen) with which the latest step was said, else 3000. So each policy's steps are said once between two times that the balance was enough by its own measure.
func (c Customer) BalanceEpisode() uint16 { return uint16(c.values.v15[c.row]) }

// BalanceSaid: Highest step of the balance warning that was said in this episode.
func (c Customer) BalanceSaid() uint8 { return uint8(c.values.v16[c.row]) }

// PaidAmount: Amount of the latest payment; in a run of `payment-received`, of the row's payment.
func (c Customer) PaidAmount() Fen { return Fen(c.values.v17[c.row]) }

// PaidOn: Day of the latest payment, which a payment that is entered late does not change; in a run of `payment-received`, of the row's payment.
func (c Customer) PaidOn() Date { return Date(c.values.v18[c.row]) }

// ArrearsAsOf: The day for which the bills are true.
func (c Customer) ArrearsAsOf() Date { return Date(c.values.v19[c.row]) }

// What is known of a customer: bits of the column traits.
const (
	// A resident; otherwise a business.
	TraitResident Traits = 1 << 0
	// An important customer (重要客户).
	TraitImportant Traits = 1 << 1
	// Prepaid (费控): the balance runs down daily.
	TraitPrepaid Traits = 1 << 2
	// A school.
	TraitSchool Traits = 1 << 3
	// A firm.
	TraitFirm Traits = 1 << 4
	// A government office or public service.
	TraitPublic Traits = 1 << 5
	// Known to be elderly or to live alone.
	TraitElderly Traits = 1 << 6
	// Pays by bank debit (银行批扣).
	TraitBankDebit Traits = 1 << 7
	// Subscribed to the bill notice.
	TraitSubscribesBill Traits = 1 << 8
	// Subscribed to balance news.
	TraitSubscribesBalance Traits = 1 << 9
	// A bank debit is under way.
	TraitDebitPending Traits = 1 << 10
	// The bill is disputed.
	TraitDisputed Traits = 1 << 11
	// The account is closed or was handed over (过户).
	TraitClosed Traits = 1 << 12
	// Reminders are paused (exam days, 保电).
	TraitPaused Traits = 1 << 13
	// On the do-not-remind list (免催名单).
	TraitDoNotRemind Traits = 1 << 14
	// The open bill was issued again with another amount.
	TraitRebilled Traits = 1 << 15
	// Has more than one supply point.
	TraitMultipleSources Traits = 1 << 16
	// Reads WeChat messages.
	TraitReadsWechat Traits = 1 << 17
	// Reads Alipay messages.
	TraitReadsAlipay Traits = 1 << 18
	// Has a mobile number to which an SMS can go.
	TraitHasMobile Traits = 1 << 19
)

// Trigger is why a run happens.
type Trigger struct {
	id   uint16
	name string
}

// Is says whether this is why.
func (t Trigger) Is(run *Run) bool { return run.Trigger == t.id }

// Triggers.
var (
	// A schedule of the policy is due, or a person ran the policy by hand. `run.schedule` names it. All customers of the scope are rows.
	OnSchedule = Trigger{1, "schedule"}
	// Payments arrived. Rows are the payments that no run has told of, each with the columns of the customer who paid; `paid-amount` and `paid-on` are the row's payment's. A customer who paid twice has two rows, the older payment first, and each may get its message. Reversals are no rows, and a payment that was reversed before the run is none.
	OnPaymentReceived = Trigger{2, "payment-received"}
	// Bills were issued. Rows are the customers billed.
	OnBillIssued = Trigger{3, "bill-issued"}
	// Balances were computed. Rows are the customers concerned.
	OnBalanceChanged = Trigger{4, "balance-changed"}
)

// Fact is a number about the trigger, for Run.Fact.
type Fact struct{ id uint16 }

// Facts.
var (
	// How late this run is against its schedule; present when a missed schedule is caught up. In minutes; absent: on time.
	FactCatchUpMinutes = Fact{1}
	// When the same policy last ran for this prefecture: the gap since then is the reader's to judge. In civil-minute; absent: never.
	FactPreviousRun = Fact{2}
)
