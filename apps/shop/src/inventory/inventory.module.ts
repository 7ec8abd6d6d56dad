import { Module } from '@nestjs/common';
import { Inventory } from './inventory.js';
import { OrderedInventory } from './ordered-inventory.js';

@Module({ providers: [Inventory] })
export class InventoryModule {}

/** The inventory in which the orders of each customer have an order. */
@Module({ providers: [OrderedInventory] })
export class OrderedInventoryModule {}
