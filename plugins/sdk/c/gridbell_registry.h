/* Columns, traits, triggers and facts by name. Made from wit/registry.toml by `cargo run -p gridbell-contract --example generate`; do not edit. */
#ifndef GRIDBELL_REGISTRY_H
#define GRIDBELL_REGISTRY_H

#include <stdint.h>

/* What kind of customer it is and what state the account is in. In bits. */
#define GB_COLUMN_TRAITS 1
/* Everything unpaid over all open bills, late fees not included. Positive is owed. In fen. */
#define GB_COLUMN_ARREARS 2
/* Billing period of the oldest unpaid bill: what a reminder is about. With the step it is the host's key for "not twice". In yyyymm. */
#define GB_COLUMN_ARREARS_PERIOD 3
/* First day on which a late fee accrues on the oldest unpaid bill. In date. */
#define GB_COLUMN_LATE_FEE_FROM 4
/* How many bills are unpaid. In count. */
#define GB_COLUMN_MONTHS_OWED 5
/* Highest step of the arrears reminder that was said about `arrears-period`. In step. */
#define GB_COLUMN_REMINDED_STEP 6
/* Billing period of the latest bill, paid or not. In yyyymm. */
#define GB_COLUMN_BILL_PERIOD 7
/* Day on which the latest bill was issued (电费发行). In date. */
#define GB_COLUMN_BILL_ISSUED 8
/* Amount of the latest bill. In fen. */
#define GB_COLUMN_BILL_AMOUNT 9
/* Energy of the latest bill. In kwh. */
#define GB_COLUMN_BILL_KWH 10
/* Highest step of the bill notice that was said about `bill-period`. In step. */
#define GB_COLUMN_BILL_SAID 11
/* Prepaid balance; negative is overdrawn. In fen. */
#define GB_COLUMN_BALANCE 12
/* The day for which `balance` was computed. Only about 99 % of balances are computed on a day. In date. */
#define GB_COLUMN_BALANCE_AS_OF 13
/* Balance under which a prepaid customer wants to be warned. In fen. */
#define GB_COLUMN_THRESHOLD 14
/* Counts the episodes of a low balance; with the step it is the host's key for "not twice". An episode begins with the first step that is said and ends, whether a run sees it or not, when the balance is at or above the threshold: the customer's own `threshold`, else the policy's parameter named `threshold` (fen) with which the latest step was said, else 3000. So each policy's steps are said once between two times that the balance was enough by its own measure. In count. */
#define GB_COLUMN_BALANCE_EPISODE 15
/* Highest step of the balance warning that was said in this episode. In step. */
#define GB_COLUMN_BALANCE_SAID 16
/* Amount of the latest payment; in a run of `payment-received`, of the row's payment. In fen. */
#define GB_COLUMN_PAID_AMOUNT 17
/* Day of the latest payment, which a payment that is entered late does not change; in a run of `payment-received`, of the row's payment. In date. */
#define GB_COLUMN_PAID_ON 18
/* The day for which the bills are true. In date. */
#define GB_COLUMN_ARREARS_AS_OF 19

/* A column's id, the kind of its list, and what one value is in C: for gridbell_policy.h. */
#define GB_ID_traits 1
#define GB_KIND_traits GB_U32
typedef uint32_t gb_traits;
#define GB_ID_arrears 2
#define GB_KIND_arrears GB_S64
typedef int64_t gb_arrears;
#define GB_ID_arrears_period 3
#define GB_KIND_arrears_period GB_U32
typedef uint32_t gb_arrears_period;
#define GB_ID_late_fee_from 4
#define GB_KIND_late_fee_from GB_S32
typedef int32_t gb_late_fee_from;
#define GB_ID_months_owed 5
#define GB_KIND_months_owed GB_U8
typedef uint8_t gb_months_owed;
#define GB_ID_reminded_step 6
#define GB_KIND_reminded_step GB_U8
typedef uint8_t gb_reminded_step;
#define GB_ID_bill_period 7
#define GB_KIND_bill_period GB_U32
typedef uint32_t gb_bill_period;
#define GB_ID_bill_issued 8
#define GB_KIND_bill_issued GB_S32
typedef int32_t gb_bill_issued;
#define GB_ID_bill_amount 9
#define GB_KIND_bill_amount GB_S64
typedef int64_t gb_bill_amount;
#define GB_ID_bill_kwh 10
#define GB_KIND_bill_kwh GB_U32
typedef uint32_t gb_bill_kwh;
#define GB_ID_bill_said 11
#define GB_KIND_bill_said GB_U8
typedef uint8_t gb_bill_said;
#define GB_ID_balance 12
#define GB_KIND_balance GB_S64
typedef int64_t gb_balance;
#define GB_ID_balance_as_of 13
#define GB_KIND_balance_as_of GB_S32
typedef int32_t gb_balance_as_of;
#define GB_ID_threshold 14
#define GB_KIND_threshold GB_U32
typedef uint32_t gb_threshold;
#define GB_ID_balance_episode 15
#define GB_KIND_balance_episode GB_U16
typedef uint16_t gb_balance_episode;
#define GB_ID_balance_said 16
#define GB_KIND_balance_said GB_U8
typedef uint8_t gb_balance_said;
#define GB_ID_paid_amount 17
#define GB_KIND_paid_amount GB_S64
typedef int64_t gb_paid_amount;
#define GB_ID_paid_on 18
#define GB_KIND_paid_on GB_S32
typedef int32_t gb_paid_on;
#define GB_ID_arrears_as_of 19
#define GB_KIND_arrears_as_of GB_S32
typedef int32_t gb_arrears_as_of;

/* A resident; otherwise a business. */
#define GB_TRAIT_RESIDENT (1u << 0)
/* An important customer (重要客户). */
#define GB_TRAIT_IMPORTANT (1u << 1)
/* Prepaid (费控): the balance runs down daily. */
#define GB_TRAIT_PREPAID (1u << 2)
/* A school. */
#define GB_TRAIT_SCHOOL (1u << 3)
/* A firm. */
#define GB_TRAIT_FIRM (1u << 4)
/* A government office or public service. */
#define GB_TRAIT_PUBLIC (1u << 5)
/* Known to be elderly or to live alone. */
#define GB_TRAIT_ELDERLY (1u << 6)
/* Pays by bank debit (银行批扣). */
#define GB_TRAIT_BANK_DEBIT (1u << 7)
/* Subscribed to the bill notice. */
#define GB_TRAIT_SUBSCRIBES_BILL (1u << 8)
/* Subscribed to balance news. */
#define GB_TRAIT_SUBSCRIBES_BALANCE (1u << 9)
/* A bank debit is under way. */
#define GB_TRAIT_DEBIT_PENDING (1u << 10)
/* The bill is disputed. */
#define GB_TRAIT_DISPUTED (1u << 11)
/* The account is closed or was handed over (过户). */
#define GB_TRAIT_CLOSED (1u << 12)
/* Reminders are paused (exam days, 保电). */
#define GB_TRAIT_PAUSED (1u << 13)
/* On the do-not-remind list (免催名单). */
#define GB_TRAIT_DO_NOT_REMIND (1u << 14)
/* The open bill was issued again with another amount. */
#define GB_TRAIT_REBILLED (1u << 15)
/* Has more than one supply point. */
#define GB_TRAIT_MULTIPLE_SOURCES (1u << 16)
/* Reads WeChat messages. */
#define GB_TRAIT_READS_WECHAT (1u << 17)
/* Reads Alipay messages. */
#define GB_TRAIT_READS_ALIPAY (1u << 18)
/* Has a mobile number to which an SMS can go. */
#define GB_TRAIT_HAS_MOBILE (1u << 19)

/* A schedule of the policy is due, or a person ran the policy by hand. `run.schedule` names it. All customers of the scope are rows. */
#define GB_TRIGGER_SCHEDULE 1
/* Payments arrived. Rows are the payments that no run has told of, each with the columns of the customer who paid; `paid-amount` and `paid-on` are the row's payment's. A customer who paid twice has two rows, the older payment first, and each may get its message. Reversals are no rows, and a payment that was reversed before the run is none. */
#define GB_TRIGGER_PAYMENT_RECEIVED 2
/* Bills were issued. Rows are the customers billed. */
#define GB_TRIGGER_BILL_ISSUED 3
/* Balances were computed. Rows are the customers concerned. */
#define GB_TRIGGER_BALANCE_CHANGED 4

/* How late this run is against its schedule; present when a missed schedule is caught up. In minutes; absent: on time. */
#define GB_FACT_CATCH_UP_MINUTES 1
/* When the same policy last ran for this prefecture: the gap since then is the reader's to judge. In civil-minute; absent: never. */
#define GB_FACT_PREVIOUS_RUN 2

#endif
